// Where what a program does meets the rules: the checkers of each language tell it what they see, it remembers
// findings.
#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "base/deadline.h"
#include "validate/check.h"
#include "validate/names.h"
#include "validate/rules.h"

namespace hotcell::validate {

struct RawFinding {
  std::uint32_t begin = 0;  // byte in the program
  std::uint32_t rule = 0;
  bool refuses = false;
  std::string name;  // for {name}
};

// An argument of a call, as far as it is known.
struct Argument {
  std::string_view name;  // empty: by position
  Values values;
  bool is_text = false, is_true = false, is_literal = false;
};

class Matcher {
 public:
  Matcher(const LanguageRules& rules, const RuleSet& set, const CheckOptions& options, Deadline deadline);

  // A symbol is imported, named or handed on.
  void use(std::string_view symbol, std::uint32_t begin);
  // Is there any rule about calls of this symbol? Asked before the arguments are evaluated.
  bool has_calls(std::string_view symbol);
  // `spread`: more arguments come from something unknown (*args).
  void call(std::string_view symbol, std::uint32_t begin, std::span<const Argument> arguments, bool spread);
  void member(std::string_view name, std::uint32_t begin);
  bool knows_member(std::string_view name) const { return rules_.members(name) != nullptr; }
  void report(std::uint32_t rule, std::string_view name, std::uint32_t begin);

  const LanguageRules& rules() const { return rules_; }
  const CheckOptions& options() const { return options_; }
  bool outside_workspace(const Values& values) const;

  // Called for each node that is looked at: false when time is up.
  bool go_on() {
    if ((++steps_ & 63) == 0 && deadline_.passed()) late_ = true;
    return !late_;
  }
  void give_up() { late_ = true; }
  bool late() const { return late_; }
  Deadline deadline() const { return deadline_; }

  std::vector<RawFinding>& findings() { return findings_; }
  std::size_t total() const { return total_; }

 private:
  bool holds(const Condition& condition, std::span<const Argument> arguments, bool spread) const;

  const LanguageRules& rules_;
  const CheckOptions& options_;
  std::vector<Policy::Effect> effects_;  // by rule
  Deadline deadline_;
  bool late_ = false;
  unsigned steps_ = 0;
  std::vector<LanguageRules::Hit> hits_;
  std::unordered_set<std::uint64_t> seen_;
  std::vector<RawFinding> findings_;
  std::size_t kept_refusing_ = 0, kept_other_ = 0, total_ = 0;
};

// One of these paths leads out of what belongs to the program. Relative ones are taken from /workspace.
bool path_outside(std::string_view path, bool is_prefix, const std::vector<std::string>& allowed);
// "/", "/etc", "/usr/*", "~": what no program should remove or open up.
bool is_system_path(std::string_view path);
// Without doubled slashes, "." and "..", and a slash at the end.
std::string normal_path(std::string_view path);

// The checkers. Each walks the outline once.
void check_python(const Outline& outline, Matcher& matcher);
void check_javascript(const Outline& outline, Matcher& matcher);
// Programs inside shell programs (bash -c '…', python -c '…') are handed to `nested`, with where they stand.
using Nested = std::function<void(protocol::Language, std::string source, std::uint32_t begin)>;
void check_bash(const Outline& outline, Matcher& matcher, const Nested& nested);

}  // namespace hotcell::validate
