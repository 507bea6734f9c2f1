#include "base/glob.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

namespace hotcell {
namespace {

TEST(Glob, patterns_match_as_in_a_shell) {
  const struct {
    const char *pattern, *path;
    bool matches;
  } table[] = {
      {"a.txt", "a.txt", true},
      {"a.txt", "b.txt", false},
      {"*.txt", "a.txt", true},
      {"*.txt", "d/a.txt", false},
      {"*", "a", true},
      {"*", "", true},
      {"*", "a/b", false},
      {"", "", true},
      {"", "a", false},
      {"**", "a/b/c", true},
      {"**/*.png", "a.png", true},
      {"**/*.png", "a/b/c.png", true},
      {"out/**", "out/a/b", true},
      {"out/**", "other/a", false},
      {"a?c", "abc", true},
      {"a?c", "a/c", false},
      {"[a-c]x", "bx", true},
      {"[a-c]x", "dx", false},
      {"[!a-c]x", "dx", true},
      {"[!a-c]x", "ax", false},
      {"[!a]x", "/x", false},
      {"[x", "[x", true},
      {"[]x", "[]x", true},
      {"a*b*c", "aXbYc", true},
      {"a*b*c", "aXbY", false},
      {"a/**/z", "a/z", true},
      {"a/**/z", "a/b/c/z", true},
      {"\xc3\xa9*", "\xc3\xa9t\xc3\xa9", true},
      {"a.b", "axb", false},
      {"*a", "aaa", true},
      {"[a-]x", "-x", true},
  };
  for (const auto& row : table)
    EXPECT_EQ(glob_matches(row.pattern, row.path), row.matches) << row.pattern << " on " << row.path;
}

TEST(Glob, a_hostile_pattern_takes_no_time) {
  std::string pattern, path(4000, 'a');
  for (int i = 0; i < 1000; ++i) pattern += "*a**";
  const auto start = std::chrono::steady_clock::now();
  EXPECT_FALSE(glob_matches(pattern + "b", path));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(2));
}

}  // namespace
}  // namespace hotcell
