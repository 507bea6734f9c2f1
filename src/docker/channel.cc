#include "docker/channel.h"

#include <poll.h>

#include <algorithm>

namespace hotcell::docker {

using agent::FrameType;

namespace {
constexpr std::size_t kLastWords = 500;
}

Channel::Channel(api::Attached attached) : attached_(std::move(attached)) {}

Expected<void> Channel::send(std::string_view frames, api::Until until) {
  auto sent = attached_.send(frames, until);
  if (!sent && sent.error().code == "docker_unreachable") return ended();
  return sent;
}

Expected<std::size_t> Channel::send_some(std::string_view frames) {
  auto sent = attached_.send_some(frames);
  if (!sent && sent.error().code == "docker_unreachable") return ended();
  return sent;
}

Expected<Channel::Frame> Channel::receive(api::Until until) {
  for (;;) {
    if (auto frame = reader_.next()) return *frame;
    if (reader_.broken()) return fail("protocol", "the agent sent what is no frame");
    auto piece = attached_.receive(until);
    if (!piece) {
      if (piece.error().code == "docker_unreachable") return ended();
      return std::unexpected(piece.error());
    }
    if (!*piece) return ended();
    const auto& [stream, bytes] = **piece;
    if (stream == api::Stream::out)
      reader_.feed(bytes);
    else
      stderr_.append(bytes.substr(0, kLastWords - std::min(kLastWords, stderr_.size())));
  }
}

Expected<Channel::Frame> Channel::expect(FrameType type, api::Until until) {
  auto frame = receive(until);
  if (!frame || frame->type == type) return frame;
  if (frame->type == FrameType::fault)
    if (auto fault = agent::Fault::decode(frame->payload))
      return fail("protocol", "the agent could not go on: " + fault->sentence);
  return fail("protocol", "the agent sent what it must not send now");
}

Expected<std::optional<Channel::Frame>> Channel::receive_now() {
  auto frame = receive(Deadline::after(std::chrono::nanoseconds(0)));
  if (frame) return *frame;
  if (frame.error().code == "docker_not_answering") return std::nullopt;
  return std::unexpected(frame.error());
}

bool Channel::quiet() {
  pollfd look{attached_.fd(), POLLIN, 0};
  return !attached_.received() && poll(&look, 1, 0) == 0;
}

std::string Channel::last_words() const {
  if (stderr_.empty()) return {};
  auto words = stderr_;
  // A stranger's words must not speak to the terminal.
  std::replace_if(
      words.begin(), words.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, ' ');
  while (words.ends_with(' ')) words.pop_back();
  return " (it wrote: " + words + ")";
}

std::unexpected<Error> Channel::ended() const { return fail("cell_ended", "the cell has ended" + last_words()); }

}  // namespace hotcell::docker
