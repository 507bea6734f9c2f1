// Reads rule files: the part of YAML that they need, and no more.
//
// A YAML library takes four milliseconds for our rules, eighty times as long as a program runs; and a rule file has no
// use for anchors, tags or seven spellings of true. Block maps and lists, [flow, lists], {flow: maps}, plain, 'single'
// and "double" quoted text (plain text may go on in deeper lines), | blocks and # comments are read; every rule file
// is valid YAML.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace hotcell::validate {

struct RuleText {
  enum class Type { text, list, map } type = Type::text;
  unsigned line = 0;
  std::string text = {};
  std::vector<RuleText> items = {};    // of a list
  std::vector<RuleText> members = {};  // of a map, in order, names unique
  std::string name = {};               // as a member of a map

  const RuleText* find(std::string_view wanted) const;
};

// An error names `file` and the line.
Expected<RuleText> read_rule_text(std::string_view text, std::string_view file);

}  // namespace hotcell::validate
