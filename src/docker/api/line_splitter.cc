#include "docker/api/line_splitter.h"

#include <algorithm>

namespace hotcell::docker::api {

namespace {

std::unexpected<Error> too_long() {
  return fail("docker_protocol",
              "the Docker daemon sent a line of more than " + std::to_string(LineSplitter::kMaxLine) + " bytes");
}

}  // namespace

Expected<std::optional<std::string_view>> LineSplitter::next() {
  for (;;) {
    const auto end = buffer_.find('\n', std::max(searched_, consumed_));
    if (end == std::string::npos) break;
    std::string_view line(buffer_.data() + consumed_, end - consumed_);
    consumed_ = end + 1;
    if (line.size() > kMaxLine) return too_long();
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!line.empty()) return line;
  }
  buffer_.erase(0, consumed_);
  consumed_ = 0;
  searched_ = buffer_.size();
  if (buffer_.size() > kMaxLine) return too_long();
  return std::nullopt;
}

}  // namespace hotcell::docker::api
