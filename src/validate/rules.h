// The rules as the checkers use them, read from rule files: src/validate/rules/*.yaml, which are part of the binary,
// and files of the operator's own that add rules, change them, or name policies. docs/validation.md describes the
// format.
#pragma once
#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "base/error.h"
#include "protocol/request.h"
#include "validate/query.h"
#include "validate/rule_text.h"

namespace hotcell::validate {

enum class Severity : std::uint8_t { low, medium, high };
std::string_view name_of(Severity severity);

// What must hold of a call's argument, or of a shell command's words, for the rule to apply.
struct Condition {
  enum class What : std::uint8_t { argument, flag, operand, any_operand } what = What::argument;
  enum class Is : std::uint8_t {
    like_one,  // a constant that matches one of `like`
    constant,
    computed,  // there, and not known
    missing,
    present,
    truth,  // the constant True / true
    text,   // a string, known or not
    outside_workspace,
    system_path,
  };
  Is is = Is::like_one;
  std::vector<std::variant<unsigned, std::string>> arguments;  // positions (from 0) and names: the first that is there
  std::vector<std::string> like;
};

// A pipe from one of these commands into one of those, in any of the forms that have that effect.
struct Pipe {
  std::vector<std::string> from, to;
};

struct Rule {
  std::string id;
  protocol::Language language = protocol::Language::python;
  Severity severity = Severity::medium;
  std::string message;  // with {name}: what was found
  std::string suggestion;
  std::vector<std::string> refused_by;  // names of policies

  // What it looks for: any of these.
  std::vector<std::string> uses;       // symbols, however they are reached: imported, called, handed on
  std::vector<std::string> calls;      // symbols that are called, where `where` holds
  std::vector<std::string> members;    // names of attributes of whatever object
  std::vector<std::string> commands;   // shell: names of commands, where `where` holds
  std::vector<std::string> redirects;  // shell: targets of redirections
  std::vector<std::string> shapes;     // built-in detectors: fork_bomb
  std::optional<Pipe> pipe;
  std::string query;  // tree-sitter; what @finding captures is reported

  std::vector<Condition> where;
  std::string file;  // where it comes from
  unsigned line = 0;
};

struct Policy {
  enum class Effect : std::uint8_t { ignore, report, refuse };
  std::string name;
  std::string based_on;                   // a built-in policy
  std::map<std::string, Effect> effects;  // by rule, over what based_on says
};

// "*" stands for any number of any characters.
bool like(std::string_view pattern, std::string_view text);

// The rules of one language, findable by what they look for. Immutable.
class LanguageRules {
 public:
  explicit LanguageRules(std::vector<Rule> rules);

  const std::vector<Rule>& rules() const { return rules_; }
  using Hits = std::vector<std::uint32_t>;  // positions in rules()

  // Every rule whose pattern covers this symbol; `shown` is what of the symbol the pattern is about: "subprocess.Popen"
  // of "subprocess.Popen().communicate".
  struct Hit {
    std::uint32_t rule;
    std::string_view shown;
  };
  void uses(std::string_view symbol, std::vector<Hit>& hits) const { uses_.find(symbol, hits); }
  void calls(std::string_view symbol, std::vector<Hit>& hits) const { calls_.find(symbol, hits); }
  const Hits* members(std::string_view name) const;
  const Hits* commands(std::string_view name) const;
  // Rules with a redirect, a shape or a pipe.
  const Hits& others() const { return others_; }
  const std::vector<std::pair<std::uint32_t, Query>>& queries() const { return queries_; }

 private:
  struct HashView {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  template <class T>
  using ByName = std::unordered_map<std::string, T, HashView, std::equal_to<>>;
  struct Symbols {
    ByName<Hits> exact, below;  // "os.system"; "subprocess.*" under "subprocess"
    void add(const std::string& pattern, std::uint32_t rule);
    void find(std::string_view symbol, std::vector<Hit>& hits) const;
  };

  std::vector<Rule> rules_;
  Symbols uses_, calls_;
  ByName<Hits> members_, commands_;
  Hits others_;
  std::vector<std::pair<std::uint32_t, Query>> queries_;
};

// Everything that is in force. Immutable after it was made; each language's built-in rules are read when the first
// program in it is checked.
class RuleSet {
 public:
  RuleSet();
  RuleSet(RuleSet&&) noexcept;
  RuleSet& operator=(RuleSet&&) noexcept;
  ~RuleSet();

  // The built-in rules with those of a file over them. The error names the file and the line.
  static Expected<RuleSet> with_file(const std::string& path);
  static Expected<RuleSet> with_text(std::string_view text, std::string_view file_name);

  const LanguageRules& of(protocol::Language language) const;

  bool has_policy(std::string_view name) const;
  std::vector<std::string_view> policies() const;
  Policy::Effect effect(const Rule& rule, std::string_view policy) const;

 private:
  struct Lazy;
  std::unique_ptr<std::array<Lazy, 3>> languages_;
  std::vector<Policy> policies_;
};

inline constexpr std::array<std::string_view, 4> kPolicies{"off", "warn", "standard", "strict"};
inline constexpr std::array<protocol::Language, 3> kCheckedLanguages{
    protocol::Language::python, protocol::Language::javascript, protocol::Language::bash};

// The built-in rule file of a language.
std::string_view builtin_rule_text(protocol::Language language);

}  // namespace hotcell::validate
