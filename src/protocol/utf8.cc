#include "protocol/utf8.h"

#include <cstdint>
#include <cstring>
#include <utility>

#include "base/output_buffer.h"

namespace hotcell::protocol {

namespace {

struct Sequence {
  std::size_t length;
  bool valid;
};

// The character at `at`, or the longest beginning of one (Unicode 15, table 3-7).
Sequence sequence_at(std::string_view bytes, std::size_t at) {
  const auto byte = [&](std::size_t i) -> unsigned {
    return at + i < bytes.size() ? static_cast<unsigned char>(bytes[at + i]) : 0u;
  };
  const unsigned lead = byte(0);
  if (lead < 0x80) return {1, true};
  if (lead < 0xC2 || lead > 0xF4) return {1, false};
  const std::size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  // The second byte's range shuts out overlong forms, surrogates and what lies beyond U+10FFFF.
  const unsigned low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const unsigned high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  if (byte(1) < low || byte(1) > high) return {1, false};
  for (std::size_t i = 2; i < length; ++i)
    if ((byte(i) & 0xC0) != 0x80) return {i, false};
  return {length, true};
}

std::size_t valid_prefix(std::string_view bytes) {
  std::size_t at = 0;
  while (at < bytes.size()) {
    std::uint64_t eight;
    if (at + sizeof eight <= bytes.size()) {  // output is mostly ASCII
      std::memcpy(&eight, bytes.data() + at, sizeof eight);
      if ((eight & 0x8080808080808080u) == 0) {
        at += sizeof eight;
        continue;
      }
    }
    const auto sequence = sequence_at(bytes, at);
    if (!sequence.valid) return at;
    at += sequence.length;
  }
  return at;
}

}  // namespace

bool is_valid_utf8(std::string_view bytes) { return valid_prefix(bytes) == bytes.size(); }

Text to_text(std::string_view bytes) {
  Text out;
  out.text.reserve(bytes.size());
  while (!bytes.empty()) {
    const auto good = valid_prefix(bytes);
    out.text.append(bytes.substr(0, good));
    bytes.remove_prefix(good);
    if (bytes.empty()) break;
    out.text += "\xEF\xBF\xBD";
    out.lossy = true;
    bytes.remove_prefix(sequence_at(bytes, 0).length);
  }
  return out;
}

std::string shortened(std::string_view text, std::size_t size) {
  if (text.size() <= size) return to_text(text).text;
  text = text.substr(0, size);
  text.remove_suffix(incomplete_utf8_tail(text));
  return to_text(text).text + "…";
}

std::string Utf8Splitter::push(std::string_view bytes) {
  std::string out = std::exchange(waiting_, {});
  out.append(bytes);
  const auto tail = incomplete_utf8_tail(out);
  waiting_.assign(out, out.size() - tail, tail);
  out.resize(out.size() - tail);
  return out;
}

std::string Utf8Splitter::finish() { return std::exchange(waiting_, {}); }

}  // namespace hotcell::protocol
