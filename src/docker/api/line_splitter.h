// Lines out of bytes as they arrive. What the daemon streams (events, progress) is one JSON object per line.
#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace hotcell::docker::api {

class LineSplitter {
 public:
  static constexpr std::size_t kMaxLine = 256 << 10;

  // Bytes are appended here.
  std::string& input() { return buffer_; }
  // The next whole line without its end, valid until the next call; empty lines are skipped. Nothing: more is needed.
  // Error "docker_protocol": a line longer than kMaxLine.
  Expected<std::optional<std::string_view>> next();
  // What came after the last line end.
  std::string_view rest() const { return std::string_view(buffer_).substr(consumed_); }

 private:
  std::string buffer_;
  std::size_t consumed_ = 0;
  std::size_t searched_ = 0;  // no line end before this
};

}  // namespace hotcell::docker::api
