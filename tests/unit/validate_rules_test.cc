// Every rule against programs in which it must be found and programs in which it must not (tests/unit/validate_cases).
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/file.h"
#include "places.h"
#include "validate/check.h"
#include "validate/rule_text.h"

namespace hotcell::validate {
namespace {

using protocol::Language;

RuleText cases_of(Language language) {
  const auto name = std::string(protocol::name_of(language)) + ".yaml";
  const auto text = read_file(std::string(testing::kSourceFolder) + "/tests/unit/validate_cases/" + name, 4u << 20);
  if (!text) {
    ADD_FAILURE() << text.error().message;
    return {};
  }
  auto cases = read_rule_text(*text, name);
  EXPECT_TRUE(cases) << (cases ? "" : cases.error().message);
  return cases ? *cases : RuleText{};
}

std::set<std::string> found_in(Language language, const std::string& program, const RuleSet& rules) {
  std::set<std::string> ids;
  for (const auto& finding : check(language, program, rules, {.policy = "strict"}).findings) ids.insert(finding.rule);
  return ids;
}

class Rules : public ::testing::TestWithParam<Language> {};

TEST_P(Rules, each_has_a_plain_case_three_evasions_and_near_misses) {
  const RuleSet rules;
  const auto cases = cases_of(GetParam());
  std::set<std::string> known;
  ASSERT_FALSE(rules.of(GetParam()).rules().empty());
  for (const auto& rule : rules.of(GetParam()).rules()) {
    known.insert(rule.id);
    const auto* one = cases.find(rule.id);
    ASSERT_TRUE(one) << rule.id << " has no cases";
    const auto *found = one->find("found"), *misses = one->find("not");
    ASSERT_TRUE(found && misses) << rule.id;
    EXPECT_GE(found->items.size(), 4u) << rule.id;
    EXPECT_GE(misses->items.size(), 3u) << rule.id;
  }
  for (const auto& one : cases.members) EXPECT_TRUE(known.contains(one.name)) << "there is no rule " << one.name;
}

TEST_P(Rules, are_found_plain_and_disguised) {
  const RuleSet rules;
  const auto cases = cases_of(GetParam());
  for (const auto& one : cases.members)
    for (const auto& program : one.find("found")->items)
      EXPECT_TRUE(found_in(GetParam(), program.text, rules).contains(one.name))
          << one.name << ", line " << program.line << ":\n"
          << program.text;
}

TEST_P(Rules, do_not_mind_what_only_looks_alike) {
  const RuleSet rules;
  const auto cases = cases_of(GetParam());
  for (const auto& one : cases.members)
    for (const auto& program : one.find("not")->items)
      EXPECT_FALSE(found_in(GetParam(), program.text, rules).contains(one.name))
          << one.name << ", line " << program.line << ":\n"
          << program.text;
}

// A rule that nobody could read is no help: each says what was found and what to do instead.
TEST_P(Rules, speak_in_sentences) {
  const RuleSet rules;
  for (const auto& rule : rules.of(GetParam()).rules()) {
    EXPECT_NE(rule.message.find("{name}"), std::string::npos) << rule.id;
    EXPECT_FALSE(rule.suggestion.empty()) << rule.id;
    EXPECT_NE(rule.message.back(), '.') << rule.id;
    EXPECT_FALSE(rule.refused_by.empty()) << rule.id;
    EXPECT_TRUE(std::find(rule.refused_by.begin(), rule.refused_by.end(), "strict") != rule.refused_by.end())
        << rule.id;
  }
}

INSTANTIATE_TEST_SUITE_P(OfEachLanguage, Rules, ::testing::ValuesIn(kCheckedLanguages),
                         [](const auto& language) { return std::string(protocol::name_of(language.param)); });

}  // namespace
}  // namespace hotcell::validate
