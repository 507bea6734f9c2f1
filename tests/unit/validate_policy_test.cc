#include <gtest/gtest.h>

#include "validate/check.h"
#include "validate/confirm.h"

namespace hotcell::validate {
namespace {

using protocol::Language;

const std::string kSystem = "import os; os.system('rm -rf /')";

TEST(Policy, the_seeds_words_hold) {
  const RuleSet rules;
  const auto report = check(Language::python, kSystem, rules, {.policy = "standard"});
  EXPECT_EQ(report.verdict, "refused");
  EXPECT_EQ(report.refusal, "Security validation failed: dangerous import 'os.system'");
}

TEST(Policy, off_says_nothing_and_warn_refuses_nothing) {
  const RuleSet rules;
  const auto off = check(Language::python, kSystem, rules, {.policy = "off"});
  EXPECT_EQ(off.verdict, "clean");
  EXPECT_TRUE(off.findings.empty());
  const auto warn = check(Language::python, kSystem, rules, {.policy = "warn"});
  EXPECT_EQ(warn.verdict, "warned");
  EXPECT_EQ(warn.refusal, "");
  ASSERT_EQ(warn.findings.size(), 1u);
  EXPECT_EQ(warn.findings[0].rule, "py-os-command");
  EXPECT_EQ(warn.findings[0].severity, "high");
  EXPECT_EQ(warn.findings[0].line, 1u);
  EXPECT_EQ(warn.findings[0].column, 12u);
  EXPECT_FALSE(warn.findings[0].suggestion.empty());
}

TEST(Policy, strict_refuses_what_standard_reports) {
  const RuleSet rules;
  const std::string program = "import socket";
  EXPECT_EQ(check(Language::python, program, rules, {.policy = "standard"}).verdict, "warned");
  EXPECT_EQ(check(Language::python, program, rules, {.policy = "strict"}).verdict, "refused");
}

TEST(Policy, an_unknown_one_is_as_strict_as_can_be) {
  const RuleSet rules;
  EXPECT_EQ(check(Language::python, "import socket", rules, {.policy = "sctrict"}).verdict, "refused");
}

TEST(Policy, allowed_paths_belong_to_the_program) {
  const RuleSet rules;
  const std::string program = "open('/data/x.csv'); open('/database')";
  EXPECT_EQ(check(Language::python, program, rules, {.policy = "strict"}).findings.size(), 2u);
  EXPECT_EQ(check(Language::python, program, rules, {.policy = "strict", .allowed_paths = {"/data/"}}).findings.size(),
            1u);
}

TEST(Findings, come_in_the_order_of_the_text_and_always_the_same) {
  const RuleSet rules;
  const std::string program = "import ctypes\nimport socket\neval('1')\nimport subprocess\n";
  const auto first = check(Language::python, program, rules, {.policy = "strict"});
  for (std::size_t i = 1; i < first.findings.size(); ++i) EXPECT_LE(first.findings[i - 1].line, first.findings[i].line);
  const auto again = check(Language::python, program, rules, {.policy = "strict"});
  ASSERT_EQ(first.findings.size(), again.findings.size());
  for (std::size_t i = 0; i < first.findings.size(); ++i)
    EXPECT_EQ(first.findings[i].message, again.findings[i].message);
}

TEST(Findings, are_capped_but_what_refuses_is_not_pushed_out) {
  const RuleSet rules;
  std::string program;
  for (int i = 0; i < 500; ++i) program += "import socket\n";
  program += "import subprocess\n";
  const auto report = check(Language::python, program, rules, {.policy = "standard", .max_findings = 10});
  EXPECT_EQ(report.findings.size(), 10u);
  EXPECT_EQ(report.total, 501u);
  EXPECT_EQ(report.verdict, "refused");
  EXPECT_EQ(report.findings.back().rule, "py-subprocess");
}

TEST(Findings, hold_no_bytes_that_speak_to_a_terminal) {
  const RuleSet rules;
  const auto report = check(Language::bash, "rm -rf / $'\\x1b[2J'\n", rules, {.policy = "strict"});
  ASSERT_FALSE(report.findings.empty());
  for (const auto& finding : report.findings) EXPECT_EQ(finding.message.find('\x1b'), std::string::npos);
}

TEST(Findings, of_an_inner_program_stand_where_it_stands) {
  const RuleSet rules;
  const auto report =
      check(Language::bash, "echo hi\npython3 -c 'import os\nos.system(\"ls\")'\n", rules, {.policy = "standard"});
  ASSERT_EQ(report.findings.size(), 1u);
  EXPECT_EQ(report.findings[0].rule, "py-os-command");
  EXPECT_EQ(report.findings[0].line, 2u);
}

// --- rule files of the operator's own ---

TEST(RuleFile, adds_a_rule) {
  const auto rules = RuleSet::with_text(R"(
python:
  - id: no-turtle
    severity: low
    message: "'{name}' draws"
    refused_by: [standard, strict]
    uses: [turtle, turtle.*]
)",
                                        "own.yaml");
  ASSERT_TRUE(rules) << rules.error().message;
  const auto report = check(Language::python, "import turtle as t", *rules, {.policy = "standard"});
  EXPECT_EQ(report.refusal, "Security validation failed: 'turtle' draws");
  EXPECT_EQ(check(Language::python, kSystem, *rules, {.policy = "standard"}).verdict, "refused")
      << "the built-in ones stay";
}

TEST(RuleFile, changes_only_what_it_names_of_a_built_in_rule) {
  const auto rules = RuleSet::with_text("python:\n  - id: py-os-command\n    refused_by: [strict]\n", "own.yaml");
  ASSERT_TRUE(rules) << rules.error().message;
  const auto report = check(Language::python, kSystem, *rules, {.policy = "standard"});
  EXPECT_EQ(report.verdict, "warned");
  EXPECT_EQ(report.findings[0].message, "dangerous import 'os.system'");
}

TEST(RuleFile, names_policies_of_its_own) {
  const auto rules = RuleSet::with_text(R"(
policies:
  classroom:
    based_on: standard
    refuse: [py-network]
    report: [py-eval]
    ignore: [py-os-command]
)",
                                        "own.yaml");
  ASSERT_TRUE(rules) << rules.error().message;
  EXPECT_TRUE(rules->has_policy("classroom"));
  EXPECT_EQ(check(Language::python, "import socket", *rules, {.policy = "classroom"}).verdict, "refused");
  EXPECT_EQ(check(Language::python, "eval('1')", *rules, {.policy = "classroom"}).verdict, "warned");
  EXPECT_EQ(check(Language::python, kSystem, *rules, {.policy = "classroom"}).verdict, "clean");
  EXPECT_EQ(check(Language::python, "import ctypes", *rules, {.policy = "classroom"}).verdict, "refused");
}

TEST(RuleFile, may_hold_tree_sitter_queries) {
  const auto rules = RuleSet::with_text(R"(
python:
  - id: no-print
    message: "prints: {name}"
    refused_by: [strict]
    query: |
      ((call function: (identifier) @f) @finding
        (#eq? @f "print"))
  - id: no-tmp-names
    message: "name {name}"
    query: |
      ((identifier) @finding (#like? @finding "tmp_*"))
)",
                                        "own.yaml");
  ASSERT_TRUE(rules) << rules.error().message;
  const auto report = check(Language::python, "print(1)\nprintf(2)\ntmp_x = 1\n", *rules, {.policy = "strict"});
  ASSERT_EQ(report.findings.size(), 2u);
  EXPECT_EQ(report.findings[0].message, "prints: print(1)");
  EXPECT_EQ(report.findings[1].message, "name tmp_x");
}

TEST(RuleFile, that_is_wrong_is_told_so_with_its_line) {
  const std::pair<const char*, const char*> wrong[] = {
      {"python:\n  - severity: high\n", "own.yaml:2: this rule has no id"},
      {"python:\n  - id: x\n    message: y\n", "own.yaml:2: the rule x looks for nothing"},
      {"python:\n  - id: x\n    uses: [a]\n", "own.yaml:2: the rule x has no message"},
      {"python:\n  - id: x\n    severty: high\n", "own.yaml:3: a rule has no member \"severty\""},
      {"python:\n  - id: x\n    severity: huge\n", "own.yaml:3: severity cannot be \"huge\""},
      {"python:\n  - id: x\n    message: y\n    uses: [a]\n    refused_by: [nobody]\n",
       "own.yaml:5: there is no policy \"nobody\" that could refuse"},
      {"python:\n  - id: X Y\n", "own.yaml:2: a rule's id is made of a-z, 0-9, -, _ and dots, not \"X Y\""},
      {"python:\n  - id: x\n    message: y\n    commands: [rm]\n",
       "own.yaml:2: the rule x looks for what its language does not have"},
      {"pyton:\n  - id: x\n", "own.yaml:2: there is no section \"pyton\""},
      {"python: [\n", "own.yaml:1: a closing ] is missing"},
      {"python:\n  - id: x\n   message: y\n", "own.yaml:3: "},
      {"python:\n  - id: x\n    id: y\n", "own.yaml:3: \"id\" stands here twice"},
      {"python:\n  - id: x\n    message: \"y\n", "own.yaml:3: a closing quote is missing"},
      {"python:\n  - id: x\n    message: y\n    query: (nonsense) @finding\n",
       "own.yaml:2: the rule x: line 1 of its query names a node type"},
      {"python:\n  - id: x\n    message: y\n    query: (call)\n",
       "own.yaml:2: the rule x: line 1 of its query has no @finding"},
      {"python:\n  - id: x\n    message: y\n    calls: [a]\n    where: [{argument: 0}]\n",
       "own.yaml:5: a condition says of what"},
      {"python:\n  - id: x\n    message: y\n    uses: [a]\n  - id: x\n    message: y\n",
       "own.yaml:5: the rule x is here already, in line 2"},
      {"policies:\n  strict: {based_on: off}\n", "own.yaml:2: the policy strict is built in"},
      {"policies:\n  mine: {refuse: [py-nothing]}\n", "own.yaml:2: there is no rule \"py-nothing\""},
      {"just text\n", "own.yaml:1: expected \"name: value\""},
      {"python:\n  - id: \xff\n", "own.yaml is not UTF-8 text"},
  };
  for (const auto& [text, sentence] : wrong) {
    const auto rules = RuleSet::with_text(text, "own.yaml");
    ASSERT_FALSE(rules) << text;
    EXPECT_EQ(rules.error().code, "invalid_rules");
    EXPECT_TRUE(rules.error().message.starts_with(sentence)) << text << "\n" << rules.error().message;
  }
}

TEST(RuleFile, that_is_empty_changes_nothing) {
  const auto rules = RuleSet::with_text("# nothing yet\n", "own.yaml");
  ASSERT_TRUE(rules);
  EXPECT_EQ(rules->of(Language::python).rules().size(), RuleSet().of(Language::python).rules().size());
}

// --- syntax errors ---

protocol::Outcome printed(std::string text) {
  protocol::Outcome outcome;
  outcome.status = protocol::Status::completed;
  outcome.out.bytes = std::move(text);
  return outcome;
}

struct OneAnswer final : protocol::Engine {
  explicit OneAnswer(Expected<protocol::Outcome> answer) : answer_(std::move(answer)) {}
  std::string_view name() const override { return "one answer"; }
  Expected<protocol::Outcome> run(const protocol::Request& request, protocol::OutputSink*,
                                  const protocol::StopToken*) override {
    asked = request;
    return answer_;
  }
  std::optional<protocol::Request> asked;

 private:
  Expected<protocol::Outcome> answer_;
};

const std::string kBroken = "x = 1\nprint((x\ny = 2\n";

TEST(SyntaxErrors, are_suspicions_until_somebody_confirms_them) {
  const RuleSet rules;
  const auto report = check(Language::python, kBroken, rules, {.policy = "strict"});
  ASSERT_TRUE(report.suspicion);
  ASSERT_EQ(report.findings.size(), 1u);
  EXPECT_EQ(report.findings[0].rule, kSyntaxRule);
  EXPECT_EQ(report.findings[0].severity, "low");
  EXPECT_EQ(report.verdict, "warned");
}

TEST(SyntaxErrors, that_the_interpreter_confirms_are_refused_in_its_words) {
  const RuleSet rules;
  OneAnswer engine(printed("wrong\n2\n6\n'(' was never closed\n"));
  const auto report =
      check(Language::python, kBroken, rules, {.policy = "standard", .confirm_syntax = confirm_with(engine)});
  EXPECT_EQ(report.refusal, "Security validation failed: syntax error ('(' was never closed): print((x");
  ASSERT_EQ(report.findings.size(), 1u);
  EXPECT_EQ(report.findings[0].line, 2u);
  EXPECT_EQ(report.findings[0].column, 6u);
  ASSERT_TRUE(engine.asked);
  ASSERT_EQ(engine.asked->files.size(), 1u);
  EXPECT_EQ(engine.asked->files[0].content, kBroken) << "given as a file, and never as what runs";
  EXPECT_EQ(engine.asked->code->find("y = 2"), std::string::npos);
}

TEST(SyntaxErrors, that_the_interpreter_does_not_see_are_none) {
  const RuleSet rules;
  OneAnswer engine(printed("ok\n"));
  const auto report =
      check(Language::python, kBroken, rules, {.policy = "strict", .confirm_syntax = confirm_with(engine)});
  EXPECT_EQ(report.verdict, "clean");
  EXPECT_TRUE(report.findings.empty());
}

TEST(SyntaxErrors, stay_suspicions_when_the_engine_cannot_say) {
  const RuleSet rules;
  OneAnswer engine(fail("engine_unavailable", "no"));
  EXPECT_EQ(
      check(Language::python, kBroken, rules, {.policy = "strict", .confirm_syntax = confirm_with(engine)}).verdict,
      "warned");
}

TEST(SyntaxErrors, nobody_is_asked_about_a_program_that_parses) {
  const RuleSet rules;
  OneAnswer engine(printed("wrong\n1\n1\nno\n"));
  EXPECT_EQ(
      check(Language::python, "x = 1\n", rules, {.policy = "strict", .confirm_syntax = confirm_with(engine)}).verdict,
      "clean");
  EXPECT_FALSE(engine.asked);
}

TEST(SyntaxErrors, a_nul_byte_is_one) {
  const auto syntax = Syntax::parse(Language::python, std::string("x = 1\ny = \0 2\n", 14));
  ASSERT_TRUE(syntax);
  const auto suspicion = suspicion_of(*syntax);
  ASSERT_TRUE(suspicion);
  EXPECT_EQ(suspicion->line, 2u);
}

}  // namespace
}  // namespace hotcell::validate
