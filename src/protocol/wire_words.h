// Enumerations as words on the wire: a table each, used for reading and for writing.
#pragma once
#include <cstddef>
#include <string_view>
#include <utility>

namespace hotcell::protocol {

template <class Enum, std::size_t N>
constexpr std::string_view word_for(Enum wanted, const std::pair<std::string_view, Enum> (&words)[N]) {
  for (const auto& [word, value] : words)
    if (value == wanted) return word;
  return words[0].first;
}

}  // namespace hotcell::protocol
