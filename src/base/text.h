// Taking text apart from the front.
#pragma once
#include <algorithm>
#include <string_view>

namespace hotcell {

// Takes everything up to the separator (or all of it) off `rest`, the separator too, and returns it without that.
inline std::string_view next_part(std::string_view& rest, char separator) {
  const auto end = std::min(rest.find(separator), rest.size());
  const auto part = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return part;
}
inline std::string_view next_line(std::string_view& rest) { return next_part(rest, '\n'); }

}  // namespace hotcell
