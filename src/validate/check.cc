#include "validate/check.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "protocol/utf8.h"
#include "validate/matcher.h"
#include "validate/outline.h"

namespace hotcell::validate {
namespace {

using protocol::Language;

constexpr unsigned kMaxNested = 32;  // programs inside programs, all together
constexpr int kMaxNestedDepth = 3;

// {name} and nothing else is filled in; the name is the stranger's, so it is cleaned first.
std::string filled(const std::string& sentence, const std::string& name) {
  const auto at = sentence.find("{name}");
  if (at == sentence.npos) return sentence;
  std::string shown;
  for (const char c : protocol::shortened(name, 80))
    shown += static_cast<unsigned char>(c) < 0x20 || c == 0x7F ? ' ' : c;
  return sentence.substr(0, at) + shown + sentence.substr(at + 6);
}

class Checker {
 public:
  Checker(const RuleSet& rules, const CheckOptions& options)
      : rules_(rules), options_(options), known_(options), deadline_(Deadline::after(options.time)) {
    if (!rules.has_policy(options.policy)) known_.policy = "strict";
  }

  Report run(const Syntax& syntax) {
    if (known_.policy == "off") return {};
    found_.clear();
    look(syntax, 0, std::nullopt);
    syntax_error(syntax);
    return finish();
  }

  Report incomplete(const std::string& why) {
    if (known_.policy == "off") return {};
    add_incomplete(why);
    return finish();
  }

 private:
  struct Found {
    protocol::Finding finding;
    bool refuses = false;
  };

  bool enforcing() const {
    // What has no rule in a file is refused by every policy that may refuse at all.
    return known_.policy != "warn" && known_.policy != "off";
  }

  void look(const Syntax& syntax, int depth, std::optional<Position> at) {
    const Outline outline(syntax);
    const auto& language = rules_.of(syntax.language());
    Matcher matcher(language, rules_, known_, deadline_);
    switch (syntax.language()) {
      case Language::python:
        check_python(outline, matcher);
        break;
      case Language::javascript:
        check_javascript(outline, matcher);
        break;
      default:
        check_bash(outline, matcher, [&](Language inner, std::string source, std::uint32_t begin) {
          if (depth >= kMaxNestedDepth || nested_ >= kMaxNested || deadline_.passed()) return;
          ++nested_;
          // Its lines are not the program's: what is found is shown where the inner program stands.
          if (const auto inside = Syntax::parse(inner, std::move(source), {.time = std::chrono::milliseconds(200)}))
            look(*inside, depth + 1, at ? *at : syntax.position(begin));
        });
        break;
    }
    for (const auto& [rule, query] : language.queries())
      if (!query.run(syntax, matcher.deadline(), [&, id = rule](TSNode node) {
            matcher.report(id, protocol::shortened(syntax.text(node), 80), ts_node_start_byte(node));
          }))
        matcher.give_up();
    total_ += matcher.total();
    for (auto& raw : matcher.findings()) {
      const auto& rule = language.rules()[raw.rule];
      const auto position = at ? *at : syntax.position(raw.begin);
      found_.push_back({{.rule = rule.id,
                         .severity = std::string(name_of(rule.severity)),
                         .message = filled(rule.message, raw.name),
                         .suggestion = rule.suggestion,
                         .line = position.line,
                         .column = position.column},
                        raw.refuses});
    }
    if (matcher.late()) add_incomplete("the program could not be checked to its end in time");
  }

  void add_incomplete(const std::string& why) {
    ++total_;
    found_.push_back({{.rule = std::string(kIncompleteRule),
                       .severity = "medium",
                       .message = why,
                       .suggestion = "give large data as files instead of writing it into the program",
                       .line = 1,
                       .column = 1},
                      enforcing()});
  }

  void syntax_error(const Syntax& syntax) {
    report_.suspicion = suspicion_of(syntax);
    if (!report_.suspicion) return;
    const auto& suspicion = *report_.suspicion;
    const auto verdict =
        options_.confirm_syntax ? options_.confirm_syntax(syntax.language(), syntax.source()) : SyntaxVerdict{};
    if (verdict.type == SyntaxVerdict::Type::accepted) return;
    const bool sure = verdict.type == SyntaxVerdict::Type::refused;
    const auto line = sure && verdict.line ? verdict.line : suspicion.line;
    const auto text =
        sure && verdict.line ? protocol::shortened(trimmed(syntax.line(verdict.line)), 80) : suspicion.text;
    Found found;
    found.finding.rule = kSyntaxRule;
    found.finding.severity = sure ? "high" : "low";
    found.finding.line = line;
    found.finding.column = sure && verdict.line ? std::max(verdict.column, 1u) : suspicion.column;
    found.finding.message =
        (sure ? "syntax error" : "possible syntax error") +
        (sure && !verdict.message.empty() ? " (" + protocol::shortened(verdict.message, 120) + ")" : std::string()) +
        (suspicion.missing.empty() || sure ? std::string() : ", " + suspicion.missing + " may be missing") +
        (text.empty() ? std::string() : ": " + text);
    if (!sure) found.finding.suggestion = "nobody could be asked who knows for sure; run it to see";
    found.refuses = sure && enforcing();
    ++total_;
    found_.push_back(std::move(found));
  }

  static std::string_view trimmed(std::string_view text) {
    const auto begin = text.find_first_not_of(" \t");
    return begin == text.npos ? std::string_view() : text.substr(begin);
  }

  Report finish() {
    const auto place = [](const Found& one) {
      return std::tie(one.finding.line, one.finding.column, one.finding.rule, one.finding.message);
    };
    std::sort(found_.begin(), found_.end(), [&](const Found& a, const Found& b) { return place(a) < place(b); });
    found_.erase(
        std::unique(found_.begin(), found_.end(), [&](const Found& a, const Found& b) { return place(a) == place(b); }),
        found_.end());
    // Too many: what refuses goes first, the rest by place.
    const auto most = std::max<std::size_t>(options_.max_findings, 1);
    if (found_.size() > most) {
      std::sort(found_.begin(), found_.end(), [&](const Found& a, const Found& b) {
        return a.refuses != b.refuses ? a.refuses : place(a) < place(b);
      });
      found_.resize(most);
      std::sort(found_.begin(), found_.end(), [&](const Found& a, const Found& b) { return place(a) < place(b); });
    }
    report_.total = std::max(total_, found_.size());
    if (!found_.empty()) report_.verdict = "warned";
    for (auto& one : found_) {
      if (one.refuses && report_.refusal.empty()) {
        report_.verdict = "refused";
        report_.refusal = "Security validation failed: " + one.finding.message;
      }
      report_.refuses.push_back(one.refuses);
      report_.findings.push_back(std::move(one.finding));
    }
    return std::move(report_);
  }

  const RuleSet& rules_;
  const CheckOptions& options_;
  CheckOptions known_;
  Deadline deadline_;
  Report report_;
  std::vector<Found> found_;
  std::size_t total_ = 0;
  unsigned nested_ = 0;
};

}  // namespace

std::optional<Suspicion> suspicion_of(const Syntax& syntax) {
  const auto source = syntax.source();
  Suspicion suspicion;
  const auto describe = [&](Position position) {
    suspicion.line = position.line;
    suspicion.column = position.column;
    auto line = syntax.line(position.line);
    const auto begin = line.find_first_not_of(" \t");
    line.remove_prefix(std::min(begin, line.size()));
    // Of an endless line, what is around the place.
    if (line.size() > 160)
      line = line.substr(std::min<std::size_t>(position.column > 40 ? position.column - 40 : 0, line.size() - 80));
    suspicion.text = protocol::shortened(line, 80);
    return suspicion;
  };
  // No interpreter takes a NUL or broken UTF-8 in a program, and tree-sitter reads a NUL as the end.
  if (const auto nul = source.find('\0'); nul != source.npos) {
    suspicion = describe(syntax.position(static_cast<std::uint32_t>(nul)));
    suspicion.text = "the program holds a NUL byte";
    return suspicion;
  }
  std::optional<TSNode> first;
  if (syntax.has_error())
    walk(syntax.root(), [&](TSNode node, TSFieldId) {
      if (ts_node_is_error(node) || ts_node_is_missing(node)) {
        first = node;
        return Step::stop;
      }
      return ts_node_has_error(node) ? Step::into : Step::over;
    });
  if (!first) return std::nullopt;
  if (ts_node_is_missing(*first)) suspicion.missing = "\"" + std::string(ts_node_type(*first)) + "\"";
  return describe(syntax.position(*first));
}

Report check(const Syntax& syntax, const RuleSet& rules, const CheckOptions& options) {
  return Checker(rules, options).run(syntax);
}

Report unread(const Error& why, const RuleSet& rules, const CheckOptions& options) {
  return Checker(rules, options).incomplete(why.message);
}

Report check(Language language, std::string source, const RuleSet& rules, const CheckOptions& options,
             const ParseLimits& limits) {
  if (language == Language::wasm) return {};
  const auto syntax = Syntax::parse(language, std::move(source), limits);
  return syntax ? check(*syntax, rules, options) : unread(syntax.error(), rules, options);
}

}  // namespace hotcell::validate
