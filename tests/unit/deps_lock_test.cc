#include "deps/lock.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace hotcell::deps {
namespace {

std::string sha256_of(char digit) { return "sha256:" + std::string(64, digit); }

LockedPackage python(std::string name, std::string version, char digit = 'a') {
  return {std::move(name), std::move(version), "", {sha256_of(digit)}};
}

TEST(Lock, is_sorted_spelt_one_way_and_read_back) {
  const auto lock = Lock::make(Ecosystem::pypi, {python("Requests", "2.28.0"), python("certifi", "2022.12.07", 'b')});
  ASSERT_TRUE(lock);
  EXPECT_EQ(lock->text(),
            "hotcell-lock 1 pypi\ncertifi 2022.12.7 " + sha256_of('b') + "\nrequests 2.28.0 " + sha256_of('a') + "\n");
  const auto again = Lock::parse(lock->text());
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(*again, *lock);
}

TEST(Lock, holds_a_node_package_at_several_places) {
  const std::string hash = "sha512:" + std::string(128, 'c');
  const auto lock = Lock::make(Ecosystem::npm, {{"ms", "2.1.3", "node_modules/ms", {hash}},
                                                {"ms", "2.0.0", "node_modules/@s/debug/node_modules/ms", {hash}}});
  ASSERT_TRUE(lock) << lock.error().message;
  EXPECT_EQ(Lock::parse(lock->text()).value(), *lock);
  EXPECT_FALSE(Lock::make(Ecosystem::npm,
                          {{"ms", "2.1.3", "node_modules/ms", {hash}}, {"ms", "2.0.0", "node_modules/ms", {hash}}}));
}

TEST(Lock, what_cannot_be_installed_exactly_is_refused) {
  const std::string hash = sha256_of('a');
  EXPECT_FALSE(Lock::make(Ecosystem::pypi, {{"a", "1.0", "", {}}})) << "no hash";
  EXPECT_FALSE(Lock::make(Ecosystem::pypi, {{"a", "1.0", "", {"md5:00"}}}));
  EXPECT_FALSE(Lock::make(Ecosystem::pypi, {{"a", "1.0", "", {"sha256:" + std::string(64, 'G')}}}));
  EXPECT_FALSE(Lock::make(Ecosystem::pypi, {{"a", ">=1.0", "", {hash}}})) << "a range";
  EXPECT_FALSE(Lock::make(Ecosystem::pypi, {{"a b", "1.0", "", {hash}}}));
  EXPECT_FALSE(Lock::make(Ecosystem::pypi, {python("a", "1.0"), python("A", "1.1")})) << "two versions";
  EXPECT_FALSE(Lock::make(Ecosystem::pypi, {python("a", "1.0", 'a'), python("a", "1.0", 'b')})) << "two hashes";
  EXPECT_FALSE(Lock::make(Ecosystem::npm, {{"a", "1.0", "node_modules/a", {hash}}})) << "not complete";
  EXPECT_FALSE(Lock::make(Ecosystem::npm, {{"a", "1.0.0", "../a", {hash}}}));
  EXPECT_FALSE(Lock::make(Ecosystem::npm, {{"a", "1.0.0", "node_modules/../a", {hash}}}));
  EXPECT_FALSE(Lock::make(Ecosystem::npm, {{"a", "1.0.0", "node_modules/b/a", {hash}}}));
  EXPECT_FALSE(Lock::make(Ecosystem::npm, {{"a", "1.0.0", "node_modules/b/node_modules/..", {hash}}}));
  EXPECT_TRUE(Lock::make(Ecosystem::npm, {{"a", "1.0.0", "node_modules/b", {hash}}})) << "under another name";
  EXPECT_FALSE(Lock::make(Ecosystem::npm, {{"a", "1.0.0", "", {hash}}}));
  EXPECT_FALSE(Lock::make(Ecosystem::pypi, std::vector<LockedPackage>(kMaxLockedPackages + 1, python("a", "1"))));
}

TEST(Lock, only_the_canonical_text_is_read) {
  const std::string good = "hotcell-lock 1 pypi\na 1.0 " + sha256_of('a') + "\nb 1.0 " + sha256_of('a') + "\n";
  ASSERT_TRUE(Lock::parse(good));
  const std::string line_a = "a 1.0 " + sha256_of('a') + "\n", line_b = "b 1.0 " + sha256_of('a') + "\n";
  const std::string head = "hotcell-lock 1 pypi\n";
  for (const auto& bad :
       {std::string(), good.substr(0, good.size() - 1), head + line_b + line_a, head + line_a + line_a,
        head + " " + line_a, "hotcell-lock 2 pypi\n" + line_a, "hotcell-lock 1 gems\n" + line_a,
        head + "A 1.0 " + sha256_of('a') + "\n", head + "a v1.0 " + sha256_of('a') + "\n", head + "a 1.0 \n",
        head + "\n" + line_a, head + line_a + "\n", head + "a 1.0 " + sha256_of('a') + " at node_modules/a\n",
        "hotcell-lock 1 npm\n" + line_a, head + "a 1.0 " + sha256_of('b') + " " + sha256_of('a') + "\n"})
    EXPECT_FALSE(Lock::parse(bad)) << bad;
}

TEST(Lock, the_order_of_packages_and_hashes_does_not_matter) {
  std::mt19937 random(7);
  std::vector<LockedPackage> packages;
  for (int i = 0; i < 20; ++i)
    packages.push_back(
        {"p" + std::to_string(i), std::to_string(i) + ".0", "", {sha256_of('a'), sha256_of('b'), sha256_of('c')}});
  const auto expected = Lock::make(Ecosystem::pypi, packages).value();
  for (int round = 0; round < 100; ++round) {
    std::ranges::shuffle(packages, random);
    for (auto& package : packages) std::ranges::shuffle(package.hashes, random);
    EXPECT_EQ(Lock::make(Ecosystem::pypi, packages).value(), expected);
  }
}

}  // namespace
}  // namespace hotcell::deps
