#include "deps/key.h"

#include <gtest/gtest.h>

#include <set>

namespace hotcell::deps {
namespace {

Lock lock_of(std::string version, char digit = 'a', Ecosystem ecosystem = Ecosystem::pypi) {
  return Lock::make(ecosystem, {{"a",
                                 std::move(version),
                                 ecosystem == Ecosystem::npm ? "node_modules/a" : "",
                                 {"sha256:" + std::string(64, digit)}}})
      .value();
}

TEST(Key, everything_that_changes_what_is_installed_changes_the_key) {
  const Target target{Ecosystem::pypi, "cpython-3.11", "linux-x86_64"};
  std::set<Digest> keys = {
      entry_key(target, lock_of("1.0.0")),
      entry_key(target, lock_of("1.0.1")),
      entry_key(target, lock_of("1.0.0", 'b')),
      entry_key({Ecosystem::pypi, "cpython-3.12", "linux-x86_64"}, lock_of("1.0.0")),
      entry_key({Ecosystem::pypi, "cpython-3.11", "linux-aarch64"}, lock_of("1.0.0")),
      entry_key({Ecosystem::pypi, "cpython-3.11linux", "-x86_64"}, lock_of("1.0.0")),
      entry_key({Ecosystem::npm, "cpython-3.11", "linux-x86_64"}, lock_of("1.0.0", 'a', Ecosystem::npm)),
  };
  EXPECT_EQ(keys.size(), 7u);
  EXPECT_TRUE(keys.contains(entry_key(target, Lock::parse(lock_of("1.0.0").text()).value())));
}

TEST(Key, is_the_same_on_every_machine_and_in_every_version) {
  // Written down once: a change here makes every cache in the world be filled again.
  EXPECT_EQ(hex(entry_key({Ecosystem::pypi, "cpython-3.11", "linux-x86_64"}, lock_of("1.0.0"))),
            "a62bd82699ba7b86a9b5cce6aae38767d42ab24b4f7f57200a21656696504296");
}

TEST(Key, a_target_has_plain_names) {
  EXPECT_TRUE(check_target({Ecosystem::pypi, "cpython-3.11", "linux-x86_64"}));
  for (const char* bad : {"", "a b", "../x", "a/b", "a\nb"}) {
    EXPECT_FALSE(check_target({Ecosystem::pypi, bad, "x"})) << bad;
    EXPECT_FALSE(check_target({Ecosystem::pypi, "x", bad})) << bad;
  }
}

}  // namespace
}  // namespace hotcell::deps
