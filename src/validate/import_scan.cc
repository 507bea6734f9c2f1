#include "validate/import_scan.h"

#include <algorithm>

namespace hotcell::validate {
namespace {

constexpr std::size_t kMostBytes = 256u << 10;

bool in_word(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') || byte == '_' ||
         byte == '$' || byte >= 0x80;
}

std::string_view without_indent(std::string_view line) {
  return line.substr(std::min(line.find_first_not_of(" \t"), line.size()));
}

// import a.b as c, d    from a.b import c
void scan_python_line(std::string_view line, std::size_t most, std::vector<std::string_view>& found) {
  line = without_indent(line);
  const bool from = line.starts_with("from ");
  if (!from && !line.starts_with("import ")) return;
  line.remove_prefix(from ? 5 : 7);
  while (found.size() < most) {
    line = without_indent(line);
    std::size_t end = 0;
    while (end < line.size() && in_word(line[end])) ++end;
    if (end > 0) found.push_back(line.substr(0, end));
    const auto comma = line.find(',');
    if (from || end == 0 || comma == line.npos) return;
    line.remove_prefix(comma + 1);
  }
}

// What stands in quotes right behind: require("x"), from "x", import "x", import("x").
void scan_after(std::string_view code, std::string_view word, std::size_t most, std::vector<std::string_view>& found) {
  for (auto at = code.find(word); at != code.npos && found.size() < most; at = code.find(word, at)) {
    const auto before = at;
    at += word.size();
    if (before > 0 && (in_word(code[before - 1]) || code[before - 1] == '.')) continue;
    auto rest = code.substr(at, 300);
    rest = rest.substr(std::min(rest.find_first_not_of(" \t("), rest.size()));
    if (rest.empty() || (rest[0] != '"' && rest[0] != '\'' && rest[0] != '`')) continue;
    const auto end = rest.find(rest[0], 1);
    if (end != rest.npos && end > 1 && rest.substr(0, end).find('\n') == rest.npos)
      found.push_back(rest.substr(1, end - 1));
  }
}

}  // namespace

std::vector<std::string_view> scan_imports(protocol::Language language, std::string_view code, std::size_t most) {
  std::vector<std::string_view> found;
  code = code.substr(0, kMostBytes);
  if (language == protocol::Language::javascript) {
    for (const std::string_view word : {"require", "from", "import"}) scan_after(code, word, most, found);
  } else if (language == protocol::Language::python) {
    while (!code.empty()) {
      const auto end = std::min(code.find('\n'), code.size());
      scan_python_line(code.substr(0, end), most, found);
      code.remove_prefix(std::min(end + 1, code.size()));
    }
  }
  return found;
}

}  // namespace hotcell::validate
