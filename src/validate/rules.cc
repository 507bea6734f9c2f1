#include "validate/rules.h"

#include <algorithm>

#include "base/file.h"
#include "validate/rule_loader.h"

namespace hotcell::validate {

std::string_view name_of(Severity severity) {
  switch (severity) {
    case Severity::low:
      return "low";
    case Severity::medium:
      return "medium";
    case Severity::high:
      break;
  }
  return "high";
}

// No recursion and no backtracking past the last star: linear for one star, quadratic at worst.
bool like(std::string_view pattern, std::string_view text) {
  std::size_t p = 0, t = 0, star = pattern.npos, mark = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      mark = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (star != pattern.npos) {
      p = star + 1;
      t = ++mark;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

void LanguageRules::Symbols::add(const std::string& pattern, std::uint32_t rule) {
  if (pattern.ends_with(".*"))
    below[pattern.substr(0, pattern.size() - 2)].push_back(rule);
  else
    exact[pattern].push_back(rule);
}

void LanguageRules::Symbols::find(std::string_view symbol, std::vector<Hit>& hits) const {
  if (const auto found = exact.find(symbol); found != exact.end())
    for (const auto rule : found->second) hits.push_back({rule, symbol});
  if (below.empty()) return;
  for (auto dot = symbol.find('.'); dot != symbol.npos; dot = symbol.find('.', dot + 1)) {
    const auto found = below.find(symbol.substr(0, dot));
    if (found == below.end()) continue;
    const auto end = symbol.find_first_of(".(", dot + 1);
    for (const auto rule : found->second) hits.push_back({rule, symbol.substr(0, end)});
  }
}

LanguageRules::LanguageRules(std::vector<Rule> rules) : rules_(std::move(rules)) {
  for (std::uint32_t i = 0; i < rules_.size(); ++i) {
    const auto& rule = rules_[i];
    for (const auto& symbol : rule.uses) uses_.add(symbol, i);
    for (const auto& symbol : rule.calls) calls_.add(symbol, i);
    for (const auto& name : rule.members) members_[name].push_back(i);
    for (const auto& name : rule.commands) commands_[name].push_back(i);
    if (rule.pipe || !rule.redirects.empty() || !rule.shapes.empty()) others_.push_back(i);
    if (!rule.query.empty())
      if (auto query = Query::compile(rule.language, rule.query)) queries_.emplace_back(i, std::move(*query));
  }
}

const LanguageRules::Hits* LanguageRules::members(std::string_view name) const {
  const auto found = members_.find(name);
  return found == members_.end() ? nullptr : &found->second;
}

const LanguageRules::Hits* LanguageRules::commands(std::string_view name) const {
  const auto found = commands_.find(name);
  return found == commands_.end() ? nullptr : &found->second;
}

struct RuleSet::Lazy {
  std::once_flag once;
  std::unique_ptr<const LanguageRules> rules;
};

RuleSet::RuleSet() : languages_(std::make_unique<std::array<Lazy, 3>>()) {}
RuleSet::RuleSet(RuleSet&&) noexcept = default;
RuleSet& RuleSet::operator=(RuleSet&&) noexcept = default;
RuleSet::~RuleSet() = default;

const LanguageRules& RuleSet::of(protocol::Language language) const {
  auto& lazy = (*languages_)[std::min<std::size_t>(static_cast<std::size_t>(language), 2)];
  std::call_once(lazy.once, [&] {
    auto loaded = load_builtin_rules(language);
    // A test reads them all, so in a program that was built they are right.
    lazy.rules = std::make_unique<LanguageRules>(loaded ? std::move(*loaded) : std::vector<Rule>());
  });
  return *lazy.rules;
}

Expected<RuleSet> RuleSet::with_file(const std::string& path) {
  auto text = read_file(path, 4u << 20);
  if (!text) return std::unexpected(text.error());
  return with_text(*text, path);
}

Expected<RuleSet> RuleSet::with_text(std::string_view text, std::string_view file_name) {
  RuleSet set;
  std::array<std::vector<Rule>, 3> rules;
  for (const auto language : kCheckedLanguages) {
    auto loaded = load_builtin_rules(language);
    if (!loaded) return std::unexpected(loaded.error());
    rules[static_cast<std::size_t>(language)] = std::move(*loaded);
  }
  if (auto done = load_rules_over(text, file_name, rules, set.policies_); !done) return std::unexpected(done.error());
  for (std::size_t i = 0; i < rules.size(); ++i) {
    auto& lazy = (*set.languages_)[i];
    std::call_once(lazy.once, [&] { lazy.rules = std::make_unique<LanguageRules>(std::move(rules[i])); });
  }
  return set;
}

std::vector<std::string_view> RuleSet::policies() const {
  std::vector<std::string_view> names(kPolicies.begin(), kPolicies.end());
  for (const auto& policy : policies_) names.push_back(policy.name);
  return names;
}

bool RuleSet::has_policy(std::string_view name) const {
  const auto names = policies();
  return std::find(names.begin(), names.end(), name) != names.end();
}

Policy::Effect RuleSet::effect(const Rule& rule, std::string_view policy) const {
  for (const auto& own : policies_) {
    if (own.name != policy) continue;
    const auto found = own.effects.find(rule.id);
    if (found != own.effects.end()) return found->second;
    policy = own.based_on;
    // A rule may also name the operator's policy itself.
    if (std::find(rule.refused_by.begin(), rule.refused_by.end(), own.name) != rule.refused_by.end())
      return Policy::Effect::refuse;
    break;
  }
  if (policy == "off") return Policy::Effect::ignore;
  return std::find(rule.refused_by.begin(), rule.refused_by.end(), policy) != rule.refused_by.end()
             ? Policy::Effect::refuse
             : Policy::Effect::report;
}

}  // namespace hotcell::validate
