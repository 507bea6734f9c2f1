#include "wasi/fs/pack.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

#include "fs_helpers.h"

namespace hotcell::wasi {
namespace {

using testing::bytes_of;
using testing::get;
using testing::make_pack;
using testing::names;

const std::vector<std::pair<std::string, std::string>> kFiles = {
    {"a-b", "dash"},    {"a.py", "dot"},          {"a/inner", "1"},     {"a/z/deep", "2"},
    {"usr/lib/x", "x"}, {"usr/lib/x.py", "x.py"}, {"usr/lib0", "zero"}, {"usr/share/doc/README", "read me"},
};

TEST(Pack, finds_files_and_implied_directories_and_nothing_else) {
  const std::string bytes = make_pack(kFiles);
  const auto pack = Pack::open(bytes_of(bytes));
  ASSERT_TRUE(pack) << pack.error().message;
  Vfs vfs;
  ASSERT_TRUE(vfs.mount_pack("/", *pack));
  for (const auto& [path, data] : kFiles) EXPECT_EQ(get(vfs, path), data) << path;
  for (const auto* path : {"a", "a/z", "usr", "usr/lib", "usr/share/doc"})
    EXPECT_EQ(vfs.stat(testing::at_root(vfs), path, true)->type, FileType::kDirectory) << path;
  for (const auto* path : {"b", "a/", "a/inne", "a/inner2", "us", "usr/li", "usr/lib/", "usr/lib/x.p", "0", "zzz"}) {
    const std::string name = path;
    if (!name.ends_with('/')) {
      EXPECT_EQ(testing::stat_error(vfs, path), Errno::kNoent) << path;
    }
  }
  EXPECT_EQ(testing::stat_error(vfs, "a.py/x"), Errno::kNotdir);
}

TEST(Pack, directories_list_each_child_once) {
  const std::string bytes = make_pack(kFiles);
  const auto pack = Pack::open(bytes_of(bytes));
  Vfs vfs;
  ASSERT_TRUE(vfs.mount_pack("/", *pack));
  using Names = std::vector<std::string>;
  EXPECT_EQ(names(vfs, "/"), (Names{"a-b", "a.py", "a", "usr", "workspace", "tmp"}));
  EXPECT_EQ(names(vfs, "/a"), (Names{"inner", "z"}));
  EXPECT_EQ(names(vfs, "/usr"), (Names{"lib", "lib0", "share"}));
}

TEST(Pack, numbers_do_not_depend_on_the_order_of_looking_and_are_all_different) {
  const std::string bytes = make_pack(kFiles);
  const auto pack = Pack::open(bytes_of(bytes));
  std::vector<std::uint64_t> numbers[2];
  std::vector<std::string> paths = {"a", "a/z", "usr", "usr/lib", "usr/share", "usr/share/doc"};
  for (const auto& [path, data] : kFiles) paths.push_back(path);
  for (int round = 0; round < 2; ++round) {
    Vfs vfs;
    ASSERT_TRUE(vfs.mount_pack("/", *pack));
    if (round == 1) {
      for (auto at = paths.rbegin(); at != paths.rend(); ++at) (void)testing::stat_error(vfs, *at);
    }
    for (const auto& path : paths) numbers[round].push_back(vfs.stat(testing::at_root(vfs), path, true)->number);
  }
  EXPECT_EQ(numbers[0], numbers[1]);
  EXPECT_EQ(std::set(numbers[0].begin(), numbers[0].end()).size(), paths.size());
  for (const std::uint64_t number : numbers[0]) EXPECT_LT(number, std::uint64_t{1} << 53);
}

TEST(Pack, is_read_only) {
  const std::string bytes = make_pack(kFiles);
  const auto pack = Pack::open(bytes_of(bytes));
  Vfs vfs;
  ASSERT_TRUE(vfs.mount_pack("/", *pack));
  const At root = testing::at_root(vfs);
  EXPECT_EQ(testing::put(vfs, "a.py", "x"), Errno::kRofs);
  EXPECT_EQ(testing::put(vfs, "usr/new", "x"), Errno::kRofs);
  EXPECT_EQ(vfs.unlink(root, "a.py"), Errno::kRofs);
  EXPECT_EQ(vfs.rename(root, "a.py", root, "tmp/a.py"), Errno::kRofs);
  EXPECT_EQ(vfs.rename(root, "usr", root, "usr2"), Errno::kRofs);
  EXPECT_EQ(vfs.remove_directory(root, "a/z"), Errno::kRofs);
  EXPECT_EQ(vfs.link(root, "a.py", false, root, "tmp/l"), Errno::kXdev);
  ASSERT_EQ(testing::put(vfs, "tmp/mine", "x"), Errno::kSuccess);
  EXPECT_EQ(vfs.rename(root, "tmp/mine", root, "a.py"), Errno::kRofs);
  EXPECT_EQ(vfs.rename(root, "tmp/mine", root, "usr/mine"), Errno::kRofs);
  EXPECT_EQ(get(vfs, "a.py"), "dot");
}

TEST(Pack, several_in_one_place_are_merged_and_the_first_wins) {
  const std::string one = make_pack({{"lib/a", "1"}, {"lib/b", "1"}});
  const std::string two = make_pack({{"lib/b", "2"}, {"lib/c", "2"}, {"top", "2"}});
  const auto first = Pack::open(bytes_of(one));
  const auto second = Pack::open(bytes_of(two));
  Vfs vfs;
  ASSERT_TRUE(vfs.mount_pack("/", *first));
  ASSERT_TRUE(vfs.mount_pack("/", *second));
  EXPECT_EQ(get(vfs, "lib/a") + get(vfs, "lib/b") + get(vfs, "lib/c") + get(vfs, "top"), "1122");
  EXPECT_EQ(names(vfs, "/lib"), (std::vector<std::string>{"a", "b", "c"}));
}

TEST(Pack, the_callers_files_may_lie_among_a_packs) {
  const std::string bytes = make_pack({{"usr/lib/a", "pack"}});
  const auto pack = Pack::open(bytes_of(bytes));
  Vfs vfs;
  ASSERT_TRUE(vfs.mount_pack("/", *pack));
  ASSERT_TRUE(vfs.add_file("/usr/lib/b", bytes_of("given")));
  EXPECT_FALSE(vfs.add_file("/usr/lib/a", bytes_of("given")));
  EXPECT_EQ(names(vfs, "/usr/lib"), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(get(vfs, "usr/lib/b"), "given");
}

TEST(Pack, damaged_ones_are_refused) {
  const auto refused = [](const std::string& bytes) { return !Pack::open(bytes_of(bytes)); };
  const std::string good = make_pack(kFiles);
  EXPECT_TRUE(refused(""));
  EXPECT_TRUE(refused("HCPACK2\n" + good.substr(8)));
  for (std::size_t size = 0; size < good.size(); ++size) EXPECT_TRUE(refused(good.substr(0, size))) << size;
  EXPECT_TRUE(refused(make_pack({{"b", ""}, {"a", ""}})));
  EXPECT_TRUE(refused(make_pack({{"a", ""}, {"a", ""}})));
  EXPECT_TRUE(refused(make_pack({{"a", ""}, {"a-b", ""}, {"a/b", ""}})));
  for (const auto* path : {"", "/a", "a/", "a//b", "./a", "a/..", "..", "a/./b"})
    EXPECT_TRUE(refused(make_pack({{path, ""}}))) << path;
  EXPECT_TRUE(refused(make_pack({{std::string("a\0b", 3), ""}})));
  EXPECT_FALSE(refused(make_pack({})));
}

TEST(Pack, random_damage_never_leads_outside_of_it) {
  std::mt19937 random(7);
  const std::string good = make_pack(kFiles);
  int accepted = 0;
  for (int round = 0; round < 4000; ++round) {
    std::vector<char> bytes(good.begin(), good.end());  // its own allocation: the sanitizer sees its end
    for (int i = 0; i < 2; ++i) bytes[8 + random() % (bytes.size() - 8)] = static_cast<char>(random());
    const auto pack = Pack::open(std::as_bytes(std::span(bytes)));
    if (!pack) continue;
    ++accepted;
    Vfs vfs;
    ASSERT_TRUE(vfs.mount_pack("/", *pack));
    for (const auto& name : names(vfs, "/")) (void)names(vfs, "/" + name);
    for (const auto& [path, data] : kFiles) (void)get(vfs, path);
  }
  EXPECT_GT(accepted, 0);
}

}  // namespace
}  // namespace hotcell::wasi
