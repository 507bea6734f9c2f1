#include <gtest/gtest.h>

#include "validate/code_memo.h"
#include "validate/import_scan.h"

namespace hotcell::validate {
namespace {

using protocol::Language;
using Names = std::vector<std::string_view>;

TEST(ImportScan, finds_the_first_parts_of_python_modules) {
  EXPECT_EQ(
      scan_imports(Language::python, "import os.path as p, sys\n  from a.b import c\nimportant = 1\nfrom . import x\n"),
      (Names{"os", "sys", "a"}));
}

TEST(ImportScan, finds_javascript_specifiers) {
  EXPECT_EQ(
      scan_imports(Language::javascript,
                   "const a = require('x');\nimport b from \"@s/y\";\nimport 'z';\nawait import('w'); my.require('n'); "
                   "xrequire('m'); require(v)"),
      (Names{"x", "@s/y", "z", "w"}));
}

TEST(ImportScan, is_bounded_and_takes_any_bytes) {
  std::string many;
  for (int i = 0; i < 1000; ++i) many += "import m" + std::to_string(i) + "\n";
  EXPECT_EQ(scan_imports(Language::python, many).size(), 64u);
  for (const auto language : {Language::python, Language::javascript, Language::bash, Language::wasm})
    for (const std::string_view text : {"", "import", "from ", "import ,", "require(", "import '", "from '\n'"})
      EXPECT_TRUE(scan_imports(language, text).empty()) << text;
  EXPECT_TRUE(scan_imports(Language::python, std::string(1 << 20, 'x') + "\nimport late\n").empty());
}

std::shared_ptr<const int> value(int number) { return std::make_shared<const int>(number); }

TEST(CodeMemo, gives_back_what_was_put_in) {
  CodeMemo<int> memo(10, 1000);
  const auto key = CodeMemo<int>::key("python", "print(1)");
  EXPECT_EQ(memo.find(key), nullptr);
  memo.put(key, value(7), 10);
  EXPECT_EQ(*memo.find(key), 7);
  memo.put(key, value(8), 20);
  EXPECT_EQ(*memo.find(key), 8);
  EXPECT_EQ(memo.bytes(), 20u);
}

TEST(CodeMemo, tells_kinds_and_codes_apart) {
  EXPECT_NE(CodeMemo<int>::key("a", "bc"), CodeMemo<int>::key("ab", "c"));
  EXPECT_NE(CodeMemo<int>::key("", "x"), CodeMemo<int>::key("x", ""));
}

TEST(CodeMemo, forgets_the_least_recently_used) {
  CodeMemo<int> memo(2, 1000);
  const auto a = CodeMemo<int>::key("", "a"), b = CodeMemo<int>::key("", "b"), c = CodeMemo<int>::key("", "c");
  memo.put(a, value(1), 1);
  memo.put(b, value(2), 1);
  EXPECT_NE(memo.find(a), nullptr);
  memo.put(c, value(3), 1);
  EXPECT_EQ(memo.find(b), nullptr);
  EXPECT_NE(memo.find(a), nullptr);
  EXPECT_NE(memo.find(c), nullptr);
}

TEST(CodeMemo, is_bounded_in_bytes) {
  CodeMemo<int> memo(1000, 100);
  for (int i = 0; i < 50; ++i) memo.put(CodeMemo<int>::key("", std::to_string(i)), value(i), 30);
  EXPECT_EQ(memo.size(), 3u);
  EXPECT_EQ(memo.bytes(), 90u);
  memo.put(CodeMemo<int>::key("", "large"), value(0), 101);
  EXPECT_EQ(memo.find(CodeMemo<int>::key("", "large")), nullptr);
  EXPECT_EQ(memo.size(), 3u);
}

TEST(CodeMemo, a_value_outlives_its_place_in_the_memo) {
  CodeMemo<int> memo(1, 100);
  memo.put(CodeMemo<int>::key("", "a"), value(1), 1);
  const auto held = memo.find(CodeMemo<int>::key("", "a"));
  memo.put(CodeMemo<int>::key("", "b"), value(2), 1);
  EXPECT_EQ(*held, 1);
}

}  // namespace
}  // namespace hotcell::validate
