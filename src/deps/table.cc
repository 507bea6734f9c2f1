#include "deps/table.h"

#include <algorithm>

#include "base/text.h"

namespace hotcell::deps {

Table::Table(std::string_view text) : lines_(text) {
  while (lines_.starts_with('#')) next_line(lines_);
}

std::string_view Table::from(std::string_view key) const {
  // Both ends always lie at the beginning of a line (or at the end of the text).
  std::size_t low = 0, high = lines_.size();
  while (low < high) {
    std::size_t begin = low + (high - low) / 2;
    while (begin > low && lines_[begin - 1] != '\n') --begin;
    const auto end = std::min(lines_.find('\n', begin), lines_.size());
    const auto line = lines_.substr(begin, end - begin);
    if (line.substr(0, line.find('\t')) < key)
      low = std::min(end + 1, high);
    else
      high = begin;
  }
  return lines_.substr(low);
}

std::optional<std::string_view> Table::find(std::string_view key) const {
  auto rest = from(key);
  auto line = next_line(rest);
  if (line.empty() || next_part(line, '\t') != key) return {};
  return line;
}

}  // namespace hotcell::deps
