// As much of TOML as inline metadata (PEP 723) and pyproject.toml need: the strings, and the lists of strings, under
// dotted keys. Numbers, dates and tables are read over correctly, not kept.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace hotcell::deps {

struct TomlEntry {
  std::string key;                   // "project.dependencies"; parts with other letters than a bare key's are left out
  std::vector<std::string> strings;  // one for a string; a list's strings; empty for everything else
  bool is_list = false;
  std::uint32_t line = 0;
};

// In the order of the text. Error "invalid_toml" names the line. At most 1 MiB, 64 deep, 10,000 entries.
Expected<std::vector<TomlEntry>> read_toml(std::string_view text);

}  // namespace hotcell::deps
