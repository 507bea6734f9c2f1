#include "docker/api/demultiplexer.h"

#include <algorithm>

namespace hotcell::docker::api {
namespace {

constexpr std::uint8_t kSystemError = 3;  // the stream on which the daemon speaks for itself
constexpr std::size_t kKeptWords = 4096;

}  // namespace

Expected<void> Demultiplexer::begin_frame() {
  if (header_[0] > kSystemError || header_[1] || header_[2] || header_[3])
    return fail("docker_protocol", "what the Docker daemon sent is no frame of a container's output",
                "was the container made with Tty? Its output has no frames then");
  stream_ = static_cast<Stream>(header_[0]);
  daemon_speaks_ = header_[0] == kSystemError;
  left_ =
      std::uint32_t{header_[4]} << 24 | std::uint32_t{header_[5]} << 16 | std::uint32_t{header_[6]} << 8 | header_[7];
  return {};
}

Expected<std::optional<Piece>> Demultiplexer::next(std::string_view& input) {
  for (;;) {
    while (left_ == 0) {
      if (input.empty()) return std::nullopt;
      const auto take = std::min(input.size(), header_.size() - header_size_);
      std::copy_n(input.data(), take, header_.begin() + static_cast<std::ptrdiff_t>(header_size_));
      input.remove_prefix(take);
      header_size_ += take;
      if (header_size_ < header_.size()) return std::nullopt;
      header_size_ = 0;
      if (auto begun = begin_frame(); !begun) return std::unexpected(begun.error());
    }
    if (input.empty()) return std::nullopt;
    const auto bytes = input.substr(0, left_);
    input.remove_prefix(bytes.size());
    left_ -= static_cast<std::uint32_t>(bytes.size());
    if (!daemon_speaks_) return Piece{stream_, bytes};
    daemon_words_.append(bytes.substr(0, kKeptWords - std::min(kKeptWords, daemon_words_.size())));
    if (left_ == 0) return fail("docker_error", "the Docker daemon reports: " + daemon_words_);
  }
}

}  // namespace hotcell::docker::api
