// The frames in which the daemon sends a container's output: u8 stream, three zero bytes, u32 length (big-endian),
// bytes.
//
// Bytes are handed on as they arrive; nothing is collected until a frame is whole, so a frame's length needs no cap and
// costs no memory. Only the header is remembered, when it comes in parts.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace hotcell::docker::api {

enum class Stream : std::uint8_t { in = 0, out = 1, err = 2 };

// Some bytes of one stream; never none.
struct Piece {
  Stream stream;
  std::string_view bytes;
};

class Demultiplexer {
 public:
  // The next piece in `input`, which loses what was used of it. Nothing: all of it was used, more is needed. After an
  // error the stream is of no more use. Errors: "docker_protocol" (no frame begins so), "docker_error" (the daemon's
  // own words, which it may send as a frame of a fourth stream).
  Expected<std::optional<Piece>> next(std::string_view& input);

  // Nothing is missing: an end of the stream here is an honest one.
  bool between_frames() const { return header_size_ == 0 && left_ == 0; }

 private:
  Expected<void> begin_frame();

  std::array<unsigned char, 8> header_{};
  std::size_t header_size_ = 0;
  Stream stream_ = Stream::out;
  std::uint32_t left_ = 0;  // bytes of this frame that have not come yet
  bool daemon_speaks_ = false;
  std::string daemon_words_;
};

}  // namespace hotcell::docker::api
