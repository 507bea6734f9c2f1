// The door of this folder for those who want to know whether a program is dangerous.
//
//   auto syntax = Syntax::parse(language, code);
//   auto report = check(*syntax, rules, {.policy = "standard"});
//   if (report.verdict == "refused") …  // report.refusal says why, in the words that callers match on
//
// What it says is advice: it explains to people and models what a program does, and stops what nobody wants run. It is
// never what keeps a program from doing harm; the cell is.
#pragma once
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "protocol/result.h"
#include "validate/rules.h"
#include "validate/syntax.h"

namespace hotcell::validate {

// What the language's real interpreter says of a program that looks wrong to us.
struct SyntaxVerdict {
  enum class Type { unknown, accepted, refused } type = Type::unknown;  // unknown: nobody could be asked
  std::uint32_t line = 0, column = 0;                                   // where it is refused, 0 if not said
  std::string message;                                                  // in the interpreter's words
};
using ConfirmSyntax = std::function<SyntaxVerdict(protocol::Language, std::string_view source)>;

struct CheckOptions {
  std::string policy = "warn";
  std::size_t max_findings = 100;
  std::vector<std::string> allowed_paths = {};  // besides /workspace and /tmp: what programs may well use
  std::chrono::milliseconds time{2000};         // for the rules; the parse has its own limit
  // Asked only when a program cannot be parsed: tree-sitter's grammars are nearly, but not quite, the languages.
  ConfirmSyntax confirm_syntax = {};
};

// tree-sitter's opinion about where a program stops being one.
struct Suspicion {
  std::uint32_t line = 1, column = 1;
  std::string text;     // of that line, shortened
  std::string missing;  // what should stand there, if that is known
};

struct Report {
  std::string verdict = "clean";            // clean, warned, refused: protocol::Result's
  std::vector<protocol::Finding> findings;  // by line and column
  std::vector<bool> refuses;                // for each finding: it is (part of) why the program is refused
  std::size_t total = 0;                    // with those past max_findings
  std::string refusal;                      // "Security validation failed: dangerous import 'os.system'"
  std::optional<Suspicion> suspicion;       // whatever became of it
};

// Never fails: a program that cannot be checked to its end gets a finding that says so (check-incomplete), which every
// enforcing policy refuses. An unknown policy counts as "strict".
Report check(const Syntax& syntax, const RuleSet& rules, const CheckOptions& options = {});
// The report on a program that Syntax::parse() would not read: one finding, check-incomplete.
Report unread(const Error& why, const RuleSet& rules, const CheckOptions& options = {});
// Both: parses and checks.
Report check(protocol::Language language, std::string source, const RuleSet& rules, const CheckOptions& options = {},
             const ParseLimits& limits = {});

// The first place that is no program, if there is one.
std::optional<Suspicion> suspicion_of(const Syntax& syntax);

// The rules that are not in files: check-incomplete and syntax-error.
inline constexpr std::string_view kIncompleteRule = "check-incomplete";
inline constexpr std::string_view kSyntaxRule = "syntax-error";

}  // namespace hotcell::validate
