#include "validate/spelling.h"

#include <gtest/gtest.h>

namespace hotcell::validate {
namespace {

// As unicodedata.normalize("NFKC", …) of CPython.
TEST(Spelling, unusual_letters_are_the_plain_ones_that_python_takes_them_for) {
  EXPECT_EQ(plain_spelling("ｅｖａｌ"), "eval");
  EXPECT_EQ(plain_spelling("𝐞𝐯𝐚𝐥𝑒𝓋𝖆𝚕𝟎𝟗𝟭"), "evaleval091");
  EXPECT_EQ(plain_spelling("ſyﬆem"), "system");
  EXPECT_EQ(plain_spelling("ªºⅣⅹ﹏＿"), "aoIVx__");
  EXPECT_EQ(plain_spelling("🯰🯹𐞥"), "09q");
}

TEST(Spelling, other_letters_stay_what_they_are) {
  for (const auto* name : {"eval", "système", "имя", "名前", "", "a\xff\xfe", "\xf0\x9d\x95"})
    EXPECT_EQ(plain_spelling(name), name);
}

}  // namespace
}  // namespace hotcell::validate
