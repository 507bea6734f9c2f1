// A data file that is looked up where it lies: lines sorted by bytes, fields separated by tabs, the first one the key.
//
// The files of dependency-cache/ are part of the binary as text. Reading them into a map at start-up would cost every
// `hotcell run` more than the run itself; a binary search over the text costs nothing until somebody asks.
#pragma once
#include <optional>
#include <string_view>

namespace hotcell::deps {

class Table {
 public:
  // Leading lines that begin with "#" are comments. `text` outlives the table.
  explicit Table(std::string_view text);

  // What follows the key and its tab on the line of `key`: empty when there is nothing; nullopt: no such line.
  std::optional<std::string_view> find(std::string_view key) const;
  bool contains(std::string_view key) const { return find(key).has_value(); }

  // The lines from the first one whose key is `key` or greater.
  std::string_view from(std::string_view key) const;

  // For those who want all of them.
  std::string_view lines() const { return lines_; }

 private:
  std::string_view lines_;
};

}  // namespace hotcell::deps
