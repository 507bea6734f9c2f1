#include "validate/rule_loader.h"

#include <algorithm>
#include <charconv>
#include <functional>

#include "protocol/nearest.h"
#include "protocol/utf8.h"
#include "validate/embedded.h"
#include "validate/query.h"

namespace hotcell::validate {
namespace {

using Type = RuleText::Type;

std::string quoted(std::string_view text) { return "\"" + protocol::shortened(text, 60) + "\""; }

class Loader {
 public:
  explicit Loader(std::string_view file) : file_(file) {}

  Expected<void> file(const RuleText& document, std::array<std::vector<Rule>, 3>& rules,
                      std::vector<Policy>* policies) {
    static constexpr std::string_view kSections[] = {"python", "javascript", "bash", "policies"};
    if (document.type != Type::map)
      return wrong(document, "a rule file holds sections: python, javascript, bash, policies");
    if (policies)
      if (const auto* section = document.find("policies"))
        if (auto done = names_of_policies(*section, *policies); !done) return done;
    for (const auto& section : document.members) {
      const auto& name = section.name;
      if (name == "policies" && policies) continue;
      const auto language = protocol::language_from_name(name);
      if (!language || *language == protocol::Language::wasm || protocol::name_of(*language) != name)
        return wrong(section, "there is no section " + quoted(name), protocol::suggestion(name, kSections));
      if (section.type != Type::list) return wrong(section, "the section " + name + " must be a list of rules");
      for (const auto& item : section.items)
        if (auto done = rule(item, *language, rules[static_cast<std::size_t>(*language)], policies); !done) return done;
    }
    if (policies)
      if (const auto* section = document.find("policies")) return read_policies(*section, rules, *policies);
    return {};
  }

 private:
  std::unexpected<Error> wrong(const RuleText& where, const std::string& why, std::string hint = {}) const {
    return fail("invalid_rules", std::string(file_) + ":" + std::to_string(where.line) + ": " + why, std::move(hint));
  }

  Expected<void> text(const RuleText& from, std::string_view name, std::string& to) const {
    if (from.type != Type::text || from.text.empty()) return wrong(from, std::string(name) + " must be a text");
    to = from.text;
    return {};
  }

  // A list of texts, or a single one.
  Expected<void> texts(const RuleText& from, std::string_view name, std::vector<std::string>& to) const {
    to.clear();
    if (from.type == Type::text) {
      to.push_back(from.text);
      return {};
    }
    if (from.type != Type::list) return wrong(from, std::string(name) + " must be a list of texts");
    for (const auto& item : from.items) {
      if (item.type != Type::text || item.text.empty())
        return wrong(item, std::string(name) + " must be a list of texts");
      to.push_back(item.text);
    }
    return {};
  }

  template <class T>
  Expected<void> choice(const RuleText& from, std::string_view name,
                        const std::vector<std::pair<std::string_view, T>>& words, T& to) const {
    std::vector<std::string_view> known;
    for (const auto& [word, value] : words) {
      if (from.type == Type::text && from.text == word) return to = value, Expected<void>{};
      known.push_back(word);
    }
    return wrong(from, std::string(name) + " cannot be " + quoted(from.text), protocol::suggestion(from.text, known));
  }

  Expected<void> rule(const RuleText& from, protocol::Language language, std::vector<Rule>& rules,
                      const std::vector<Policy>* policies) {
    if (from.type != Type::map) return wrong(from, "a rule is a map: id, severity, message, …");
    const auto* id = from.find("id");
    if (id == nullptr || id->type != Type::text) return wrong(from, "this rule has no id");
    for (const char c : id->text)
      if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_'))
        return wrong(*id, "a rule's id is made of a-z, 0-9, -, _ and dots, not " + quoted(id->text));
    const auto found = std::find_if(rules.begin(), rules.end(), [&](const Rule& one) { return one.id == id->text; });
    if (found != rules.end() && found->file == file_)
      return wrong(*id, "the rule " + id->text + " is here already, in line " + std::to_string(found->line));
    Rule made = found == rules.end() ? Rule{} : *found;
    made.id = id->text;
    made.language = language;
    made.file = file_;
    made.line = from.line;

    using Setter = std::function<Expected<void>(const RuleText&)>;
    const auto list = [&](std::string_view name, std::vector<std::string>& to) {
      return Setter([this, name, &to](const RuleText& value) { return texts(value, name, to); });
    };
    const std::pair<std::string_view, Setter> setters[] = {
        {"id", [](const RuleText&) { return Expected<void>{}; }},
        {"severity",
         [&](const RuleText& value) {
           return choice<Severity>(value, "severity",
                                   {{"low", Severity::low}, {"medium", Severity::medium}, {"high", Severity::high}},
                                   made.severity);
         }},
        {"message", [&](const RuleText& value) { return text(value, "message", made.message); }},
        {"suggestion", [&](const RuleText& value) { return text(value, "suggestion", made.suggestion); }},
        {"refused_by", list("refused_by", made.refused_by)},
        {"uses", list("uses", made.uses)},
        {"calls", list("calls", made.calls)},
        {"members", list("members", made.members)},
        {"commands", list("commands", made.commands)},
        {"redirects", list("redirects", made.redirects)},
        {"shapes", list("shapes", made.shapes)},
        {"pipe", [&](const RuleText& value) { return pipe(value, made.pipe); }},
        {"query", [&](const RuleText& value) { return text(value, "query", made.query); }},
        {"where", [&](const RuleText& value) { return conditions(value, made.where); }},
    };
    for (const auto& value : from.members) {
      const auto& name = value.name;
      const auto setter =
          std::find_if(std::begin(setters), std::end(setters), [&](const auto& one) { return one.first == name; });
      if (setter == std::end(setters)) {
        std::vector<std::string_view> known;
        for (const auto& one : setters) known.push_back(one.first);
        return wrong(value, "a rule has no member " + quoted(name), protocol::suggestion(name, known));
      }
      if (auto done = setter->second(value); !done) return done;
    }
    for (const auto& name : made.refused_by) {
      const bool own = policies && std::any_of(policies->begin(), policies->end(),
                                               [&](const Policy& one) { return one.name == name; });
      if (!own && (name == "off" || std::find(kPolicies.begin(), kPolicies.end(), name) == kPolicies.end()))
        return wrong(*from.find("refused_by"), "there is no policy " + quoted(name) + " that could refuse",
                     "policies: warn, standard, strict, and those under policies: in this file");
    }
    for (const auto& shape : made.shapes)
      if (shape != "fork_bomb" || language != protocol::Language::bash)
        return wrong(from, "there is no shape " + quoted(shape), "shapes: fork_bomb (bash)");
    const bool shell = !made.commands.empty() || !made.redirects.empty() || !made.shapes.empty() || made.pipe;
    const bool symbols = !made.uses.empty() || !made.calls.empty() || !made.members.empty();
    if (!shell && !symbols && made.query.empty())
      return wrong(from, "the rule " + made.id + " looks for nothing",
                   "give it one of uses, calls, members, commands, redirects, pipe, query");
    if ((shell && language != protocol::Language::bash) || (symbols && language == protocol::Language::bash))
      return wrong(
          from, "the rule " + made.id + " looks for what its language does not have",
          "uses, calls and members are for python and javascript; commands, redirects, pipe and shapes for bash");
    if (made.message.empty()) return wrong(from, "the rule " + made.id + " has no message");
    if (!made.query.empty())
      if (auto compiled = Query::compile(language, made.query); !compiled)
        return wrong(from, "the rule " + made.id + ": " + compiled.error().message);
    if (found == rules.end())
      rules.push_back(std::move(made));
    else
      *found = std::move(made);
    return {};
  }

  Expected<void> pipe(const RuleText& from, std::optional<Pipe>& to) const {
    const auto *source = from.find("from"), *target = from.find("to");
    if (from.type != Type::map || !source || !target || from.members.size() != 2)
      return wrong(from, "pipe must be {from: [commands], to: [commands]}");
    to.emplace();
    if (auto done = texts(*source, "pipe.from", to->from); !done) return done;
    return texts(*target, "pipe.to", to->to);
  }

  Expected<void> conditions(const RuleText& from, std::vector<Condition>& to) const {
    if (from.type != Type::list) return wrong(from, "where must be a list of conditions");
    to.clear();
    for (const auto& item : from.items) {
      Condition made;
      if (item.type != Type::map) return wrong(item, "a condition is a map such as {argument: 0, is: computed}");
      bool subject = false, predicate = false;
      for (const auto& value : item.members) {
        const auto& name = value.name;
        Expected<void> done;
        std::vector<std::string> words;
        if (name == "argument") {
          subject = true;
          made.what = Condition::What::argument;
          done = texts(value, name, words);
          for (const auto& word : words) {
            unsigned position = 0;
            const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), position);
            if (error == std::errc() && end == word.data() + word.size())
              made.arguments.emplace_back(position);
            else
              made.arguments.emplace_back(word);
          }
        } else if (name == "flag") {
          subject = predicate = true;
          made.what = Condition::What::flag;
          done = texts(value, name, made.like);
        } else if (name == "operand") {
          subject = true;
          made.what = Condition::What::any_operand;
          if (value.type != Type::text || value.text != "any") {
            made.what = Condition::What::operand;
            predicate = true;
            done = texts(value, name, made.like);
          }
        } else if (name == "like") {
          predicate = true;
          made.is = Condition::Is::like_one;
          done = texts(value, name, made.like);
        } else if (name == "is") {
          predicate = true;
          using Is = Condition::Is;
          done = choice<Is>(value, name,
                            {{"constant", Is::constant},
                             {"computed", Is::computed},
                             {"missing", Is::missing},
                             {"present", Is::present},
                             {"true", Is::truth},
                             {"text", Is::text},
                             {"outside_workspace", Is::outside_workspace},
                             {"system_path", Is::system_path}},
                            made.is);
        } else {
          return wrong(value, "a condition has no member " + quoted(name), "argument, flag, operand; is, like");
        }
        if (!done) return done;
      }
      if (!subject || !predicate)
        return wrong(item, "a condition says of what (argument, flag, operand) and what (is, like)");
      to.push_back(std::move(made));
    }
    return {};
  }

  Expected<void> names_of_policies(const RuleText& section, std::vector<Policy>& policies) const {
    if (section.type != Type::map) return wrong(section, "policies must be a map of names to policies");
    for (const auto& value : section.members) {
      const auto& name = value.name;
      if (std::find(kPolicies.begin(), kPolicies.end(), name) != kPolicies.end())
        return wrong(value, "the policy " + name + " is built in",
                     "give yours another name, and {based_on: " + name + "}");
      policies.push_back({name, "standard", {}});
    }
    return {};
  }

  Expected<void> read_policies(const RuleText& section, const std::array<std::vector<Rule>, 3>& rules,
                               std::vector<Policy>& policies) const {
    std::vector<std::string_view> known;
    for (const auto& language : rules)
      for (const auto& one : language) known.push_back(one.id);
    for (const auto& from : section.members) {
      const auto& name = from.name;
      if (from.type != Type::map) return wrong(from, "a policy is a map: based_on, refuse, report, ignore");
      auto& policy =
          *std::find_if(policies.begin(), policies.end(), [&](const Policy& one) { return one.name == name; });
      for (const auto& value : from.members) {
        const auto& member = value.name;
        if (member == "based_on") {
          if (value.type != Type::text || std::find(kPolicies.begin(), kPolicies.end(), value.text) == kPolicies.end())
            return wrong(value, "based_on must be off, warn, standard or strict");
          policy.based_on = value.text;
          continue;
        }
        Policy::Effect effect = Policy::Effect::report;
        const std::vector<std::pair<std::string_view, Policy::Effect>> words = {
            {"refuse", Policy::Effect::refuse}, {"report", Policy::Effect::report}, {"ignore", Policy::Effect::ignore}};
        const auto word =
            std::find_if(words.begin(), words.end(), [&](const auto& one) { return one.first == member; });
        if (word == words.end())
          return wrong(value, "a policy has no member " + quoted(member), "based_on, refuse, report, ignore");
        effect = word->second;
        std::vector<std::string> ids;
        if (auto done = texts(value, member, ids); !done) return done;
        for (auto& id : ids) {
          if (std::find(known.begin(), known.end(), id) == known.end())
            return wrong(value, "there is no rule " + quoted(id), protocol::suggestion(id, known));
          policy.effects[id] = effect;
        }
      }
    }
    return {};
  }

  std::string_view file_;
};

}  // namespace

std::string_view builtin_rule_text(protocol::Language language) {
  switch (language) {
    case protocol::Language::python:
      return hotcell::embedded::rules_python_yaml();
    case protocol::Language::javascript:
      return hotcell::embedded::rules_javascript_yaml();
    case protocol::Language::bash:
      return hotcell::embedded::rules_bash_yaml();
    case protocol::Language::wasm:
      break;
  }
  return {};
}

Expected<std::vector<Rule>> load_builtin_rules(protocol::Language language) {
  const auto file = std::string(protocol::name_of(language)) + ".yaml";
  auto document = read_rule_text(builtin_rule_text(language), file);
  if (!document) return std::unexpected(document.error());
  std::array<std::vector<Rule>, 3> rules;
  if (auto done = Loader(file).file(*document, rules, nullptr); !done) return std::unexpected(done.error());
  return std::move(rules[std::min<std::size_t>(static_cast<std::size_t>(language), 2)]);
}

Expected<void> load_rules_over(std::string_view text, std::string_view file, std::array<std::vector<Rule>, 3>& rules,
                               std::vector<Policy>& policies) {
  auto document = read_rule_text(text, file);
  if (!document) return std::unexpected(document.error());
  return Loader(file).file(*document, rules, &policies);
}

}  // namespace hotcell::validate
