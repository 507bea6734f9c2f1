#include "validate/syntax.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "validate/check.h"
#include "validate/outline.h"

namespace hotcell::validate {
namespace {

using protocol::Language;
using Clock = std::chrono::steady_clock;

std::string repeated(std::string_view text, std::size_t times) {
  std::string out;
  out.reserve(text.size() * times);
  for (std::size_t i = 0; i < times; ++i) out += text;
  return out;
}

// The whole way, with the strictest policy, and how long it took.
struct Checked {
  Report report;
  double seconds;
};
Checked checked(Language language, std::string source, const CheckOptions& options = {.policy = "strict"}) {
  static const RuleSet rules;
  const auto start = Clock::now();
  auto report = check(language, std::move(source), rules, options);
  return {std::move(report), std::chrono::duration<double>(Clock::now() - start).count()};
}

bool has(const Report& report, std::string_view rule) {
  for (const auto& finding : report.findings)
    if (finding.rule == rule) return true;
  return false;
}

TEST(Syntax, counts_lines_from_one_and_columns_in_characters) {
  const auto syntax = Syntax::parse(Language::python, "\xEF\xBB\xBFx = 1\ns = 'äö€😀'; y = 2\n");
  ASSERT_TRUE(syntax);
  const auto at = static_cast<std::uint32_t>(syntax->source().find("y = 2"));
  EXPECT_EQ(syntax->position(at).line, 2u);
  EXPECT_EQ(syntax->position(at).column, 13u);
  EXPECT_EQ(syntax->position(std::uint32_t{3}).column, 1u) << "a byte order mark is no character";
  EXPECT_EQ(syntax->line(2), "s = 'äö€😀'; y = 2");
  EXPECT_EQ(syntax->line(9), "");
}

TEST(Syntax, a_moved_syntax_keeps_its_nodes) {
  auto first = Syntax::parse(Language::javascript, "let x = 1;");
  ASSERT_TRUE(first);
  const auto root = first->root();
  const Syntax second = std::move(*first);
  EXPECT_EQ(second.text(root), "let x = 1;");
}

TEST(Syntax, has_no_grammar_for_webassembly) {
  const auto syntax = Syntax::parse(Language::wasm, "\0asm");
  ASSERT_FALSE(syntax);
  EXPECT_EQ(syntax.error().code, "unsupported_language");
}

TEST(Syntax, refuses_what_is_too_long_or_takes_too_long_or_too_much) {
  const auto program = repeated("x = [1, 2, 3]\n", 200'000);
  const auto large = Syntax::parse(Language::python, program, {.bytes = 1000});
  ASSERT_FALSE(large);
  EXPECT_EQ(large.error().code, "program_too_large");
  const auto late = Syntax::parse(Language::python, program, {.time = std::chrono::milliseconds(5)});
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, "parse_timeout");
  const auto fat = Syntax::parse(Language::python, program, {.memory_bytes = 1u << 20});
  ASSERT_FALSE(fat);
  EXPECT_EQ(fat.error().code, "parse_memory");
  // The parser of this thread is none the worse for it.
  const auto next = Syntax::parse(Language::python, "x = 1\n");
  ASSERT_TRUE(next);
  EXPECT_FALSE(next->has_error());
}

TEST(Syntax, many_threads_parse_at_once) {
  std::vector<std::thread> threads;
  std::atomic<int> right{0};
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 50; ++i) {
        const auto language = kCheckedLanguages[static_cast<std::size_t>(t + i) % 3];
        const auto syntax = Syntax::parse(language, "x(1)\n");
        right += syntax && syntax->source() == "x(1)\n";
      }
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(right, 200);
}

TEST(Outline, holds_the_tree_in_the_order_of_the_text) {
  const auto syntax = Syntax::parse(Language::python, "import os\nos.system('x')\n");
  ASSERT_TRUE(syntax);
  const Outline outline(*syntax);
  for (NodeId id = 1; id < outline.size(); ++id) {
    const auto parent = outline.parent(id);
    ASSERT_LT(parent, id);
    EXPECT_LE(outline[id].after, outline[parent].after);
    EXPECT_LE(outline[parent].begin, outline[id].begin);
    EXPECT_GE(outline[parent].end, outline[id].end);
  }
  EXPECT_EQ(outline.kind(outline.first(0)), Kind::import_statement);
  EXPECT_EQ(outline.text(outline.next(outline.first(0))), "os.system('x')");
}

// Each of these once took a parser or a walker apart somewhere: none may crash, hang or be passed over in silence.
TEST(Hostile, deep_nesting_is_no_recursion) {
  for (const auto& [open, close] :
       {std::pair("(", ")"), {"[", "]"}, {"{", "}"}, {"f(", ")"}, {"-", ""}, {"a.", ""}, {"not ", ""}, {"lambda:", ""}})
    for (const auto language : kCheckedLanguages) {
      const auto source = repeated(open, 100'000) + "1" + repeated(close, 100'000);
      const auto [report, seconds] = checked(language, source);
      EXPECT_LT(seconds, 20) << open << protocol::name_of(language);
    }
}

TEST(Hostile, deep_blocks_are_no_recursion) {
  std::string python;
  for (int i = 0; i < 2000; ++i) python += repeated(" ", static_cast<std::size_t>(i)) + "if x:\n";
  EXPECT_LT(checked(Language::python, python).seconds, 20);
  EXPECT_LT(checked(Language::javascript, repeated("if(x){", 50'000)).seconds, 20);
  EXPECT_LT(checked(Language::javascript, repeated("function f(){", 50'000)).seconds, 20);
  EXPECT_LT(checked(Language::bash, repeated("if true; then ", 20'000)).seconds, 20);
  EXPECT_LT(checked(Language::bash, repeated("$(", 50'000)).seconds, 20);
  EXPECT_LT(checked(Language::bash, repeated("`echo ", 5'000)).seconds, 20);
}

TEST(Hostile, binary_garbage_is_answered) {
  std::string bytes;
  std::uint32_t state = 12345;
  for (int i = 0; i < 500'000; ++i) bytes += static_cast<char>((state = state * 1664525u + 1013904223u) >> 24);
  for (const auto language : kCheckedLanguages) {
    const auto [report, seconds] = checked(language, bytes);
    EXPECT_TRUE(report.suspicion || has(report, kIncompleteRule)) << protocol::name_of(language);
    EXPECT_LT(seconds, 20);
    EXPECT_LE(report.findings.size(), 100u);
  }
}

TEST(Hostile, one_endless_line_is_answered) {
  const auto minified = repeated("a=b?c:d(e);function f(g){return g+1};", 30'000);  // 1.1 MB
  const auto [report, seconds] = checked(Language::javascript, minified + "require('child_process')");
  EXPECT_TRUE(has(report, "js-child-process"));
  EXPECT_LT(seconds, 20);
}

TEST(Hostile, constants_that_double_are_bounded) {
  std::string python = "a0 = 'os'\n";
  for (int i = 1; i < 60; ++i)
    python += "a" + std::to_string(i) + " = a" + std::to_string(i - 1) + " + a" + std::to_string(i - 1) + "\n";
  EXPECT_LT(checked(Language::python, python + "__import__(a59)\n").seconds, 5);
  std::string javascript = "let a0 = 'os';\n", bash = "a0=os\n";
  for (int i = 1; i < 60; ++i) {
    const auto name = "a" + std::to_string(i), before = "a" + std::to_string(i - 1);
    javascript += "let " + name + " = " + before + " + " + before + ";\n";
    bash += name + "=$" + before + "$" + before + "\n";
  }
  EXPECT_LT(checked(Language::javascript, javascript + "require(a59)\n").seconds, 5);
  EXPECT_LT(checked(Language::bash, bash + "$a59\n").seconds, 5);
}

TEST(Hostile, names_that_mean_each_other_end) {
  EXPECT_LT(checked(Language::python, "def f():\n  global a, b\n  a = b\n  b = a\n  a()\na = b\nb = a\na()\n").seconds,
            5);
  EXPECT_LT(checked(Language::javascript, "var a = b, b = a; a(); c = c + c; c();").seconds, 5);
  EXPECT_LT(checked(Language::bash, "a=$b; b=$a; $a; c=$c$c; $c").seconds, 5);
}

TEST(Hostile, programs_inside_programs_are_bounded) {
  std::string bash = "rm -rf /";
  for (int i = 0; i < 12; ++i) {
    std::string quoted;
    for (const char c : bash) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
    bash = "bash -c '" + quoted + "'";
    if (bash.size() > 100'000) break;
  }
  EXPECT_LT(checked(Language::bash, bash).seconds, 5);
  EXPECT_LT(checked(Language::bash, repeated("bash -c 'bash -c ls'\n", 5'000)).seconds, 10);
}

TEST(Hostile, ten_megabytes_are_bounded) {
  const auto [report, seconds] =
      checked(Language::python, repeated("result = compute(alpha, beta)[0].name\n", 280'000));
  EXPECT_LT(seconds, 30);
  EXPECT_TRUE(report.verdict == "clean" || has(report, kIncompleteRule));
}

TEST(Hostile, a_program_past_the_limit_is_refused_by_what_enforces) {
  const RuleSet rules;
  const std::string large(2000, '#');
  const ParseLimits limits{.bytes = 1000};
  const auto standard = check(Language::python, large, rules, {.policy = "standard"}, limits);
  EXPECT_EQ(standard.verdict, "refused");
  EXPECT_TRUE(has(standard, kIncompleteRule));
  EXPECT_EQ(check(Language::python, large, rules, {.policy = "warn"}, limits).verdict, "warned");
  EXPECT_EQ(check(Language::python, large, rules, {.policy = "off"}, limits).verdict, "clean");
}

}  // namespace
}  // namespace hotcell::validate
