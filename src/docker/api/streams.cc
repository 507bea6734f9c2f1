#include "docker/api/streams.h"

#include "docker/api/connection.h"
#include "docker/api/json.h"

namespace hotcell::docker::api {
namespace {

constexpr std::size_t kMaxExit = 64 << 10;  // the answer to a wait is one small object

std::unexpected<Error> not_json(std::string_view what) {
  return fail("docker_protocol", "what the Docker daemon sent as " + std::string(what) + " is not JSON");
}

}  // namespace

Attached::Attached(std::unique_ptr<Connection> connection, std::string received)
    : connection_(std::move(connection)), buffer_(std::move(received)) {}
Attached::Attached(Attached&&) noexcept = default;
Attached& Attached::operator=(Attached&&) noexcept = default;
Attached::~Attached() = default;

Expected<void> Attached::send(std::string_view bytes, Until until) { return connection_->send(bytes, until); }
Expected<std::size_t> Attached::send_some(std::string_view bytes) { return connection_->send_some(bytes); }
Expected<void> Attached::close_input() { return connection_->end_sending(); }
bool Attached::received() const { return consumed_ < buffer_.size() || ended_; }
int Attached::fd() const { return connection_->fd(); }

Expected<std::optional<Piece>> Attached::receive(Until until) {
  for (;;) {
    auto rest = std::string_view(buffer_).substr(consumed_);
    auto piece = demultiplexer_.next(rest);
    consumed_ = buffer_.size() - rest.size();
    if (!piece || *piece || ended_) return piece;
    buffer_.clear();
    consumed_ = 0;
    const auto more = connection_->receive(buffer_, until);
    if (!more) return std::unexpected(more.error());
    if (*more) continue;
    ended_ = true;
    if (!demultiplexer_.between_frames())
      return fail("docker_unreachable", "the Docker daemon cut a container's output off in the middle of a frame");
  }
}

EventStream::EventStream(std::unique_ptr<Connection> connection) : connection_(std::move(connection)) {}
EventStream::EventStream(EventStream&&) noexcept = default;
EventStream& EventStream::operator=(EventStream&&) noexcept = default;
EventStream::~EventStream() = default;
int EventStream::fd() const { return connection_->fd(); }

Expected<Event> EventStream::next(Until until) {
  for (;;) {
    const auto line = lines_.next();
    if (!line) return std::unexpected(line.error());
    if (*line) {
      const auto json = parse_json(**line);
      if (!json) return not_json("an event");
      const Json& actor = field(*json, "Actor");
      Event out;
      out.action = text(*json, "Action");
      out.container = text(actor, "ID");
      out.attributes = labels(actor, "Attributes");
      out.time_ns = number(*json, "timeNano");
      if (const auto code = out.attributes.find("exitCode"); code != out.attributes.end())
        out.exit_code = std::atoi(code->second.c_str());
      return out;
    }
    const auto more = connection_->read_body(lines_.input(), until);
    if (!more) return std::unexpected(more.error());
    if (!*more)
      return fail("docker_unreachable", "the Docker daemon ended its stream of events", "is it restarting? Ask again");
  }
}

PendingExit::PendingExit(std::unique_ptr<Connection> connection) : connection_(std::move(connection)) {}
PendingExit::PendingExit(PendingExit&&) noexcept = default;
PendingExit& PendingExit::operator=(PendingExit&&) noexcept = default;
PendingExit::~PendingExit() = default;
int PendingExit::fd() const { return connection_->fd(); }

Expected<Exit> PendingExit::get(Until until) {
  for (;;) {
    const auto more = connection_->read_body(answer_, until);
    if (!more) return std::unexpected(more.error());
    if (!*more) break;
    if (answer_.size() > kMaxExit)
      return fail("docker_protocol", "the Docker daemon has too much to say about an exit");
  }
  const auto json = parse_json(answer_);
  if (!json) return not_json("an exit");
  if (!field(*json, "StatusCode").is_number_integer())
    return fail("docker_protocol", "the Docker daemon reports an exit without its code");
  return Exit{static_cast<int>(number(*json, "StatusCode")), text(field(*json, "Error"), "Message")};
}

}  // namespace hotcell::docker::api
