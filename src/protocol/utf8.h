// Program output is bytes, JSON is text. This is the one place where the first becomes the second.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>

namespace hotcell::protocol {

bool is_valid_utf8(std::string_view bytes);

struct Text {
  std::string text;
  bool lossy = false;  // something was replaced
};
// Each malformed sequence (the longest beginning of a character that cannot go on) becomes one U+FFFD, as browsers and
// Python's errors="replace" do.
Text to_text(std::string_view bytes);

// At most `size` bytes of `text`, cut between characters, with "…" when something was cut. For quoting what a stranger
// sent.
std::string shortened(std::string_view text, std::size_t size);

// Cuts a stream of bytes into pieces that are never half a character: an incomplete end waits for the next piece.
class Utf8Splitter {
 public:
  std::string push(std::string_view bytes);
  std::string finish();  // what still waits, complete or not

 private:
  std::string waiting_;  // at most three bytes between calls
};

}  // namespace hotcell::protocol
