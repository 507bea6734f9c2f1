#include "p1_guest.h"

namespace hotcell::wasi {
namespace {

using namespace testing;
using namespace abi;

struct P1Paths : GuestTest {
  Errno stat(std::string_view path, std::uint32_t flags = 1, std::uint32_t fd = kRoot) {
    const Text p = text(path);
    return call("path_filestat_get", {fd, flags, p.at, p.size, kOut});
  }
  Errno two(std::string_view name, std::string_view from, std::string_view to) {
    const Text a = text(from), b = text(to);
    if (name == "path_link") return call(name, {kRoot, 0, a.at, a.size, kRoot, b.at, b.size});
    if (name == "path_symlink") return call(name, {a.at, a.size, kRoot, b.at, b.size});
    return call(name, {kRoot, a.at, a.size, kRoot, b.at, b.size});
  }
};

TEST_F(P1Paths, directories_are_made_and_removed) {
  EXPECT_EQ(path_call("path_create_directory", "tmp/d"), Errno::kSuccess);
  EXPECT_EQ(path_call("path_create_directory", "tmp/d"), Errno::kExist);
  EXPECT_EQ(stat("tmp/d"), Errno::kSuccess);
  EXPECT_EQ(load<Filestat>(kOut).type, static_cast<int>(FileType::kDirectory));
  EXPECT_EQ(path_call("path_unlink_file", "tmp/d"), Errno::kIsdir);
  EXPECT_EQ(path_call("path_remove_directory", "tmp/d"), Errno::kSuccess);
  EXPECT_EQ(stat("tmp/d"), Errno::kNoent);
}

TEST_F(P1Paths, paths_need_an_open_directory) {
  const auto file = opened("tmp/f", oflags::kCreat);
  for (const auto* name : {"path_create_directory", "path_remove_directory", "path_unlink_file"}) {
    EXPECT_EQ(path_call(name, "x", 99), Errno::kBadf) << name;
    EXPECT_EQ(path_call(name, "x", file), Errno::kNotdir) << name;
    EXPECT_EQ(path_call(name, "x", 1), Errno::kNotdir) << name;
  }
  EXPECT_EQ(stat("x", 1, 99), Errno::kBadf);
}

TEST_F(P1Paths, opened_directories_are_starting_points) {
  ASSERT_EQ(path_call("path_create_directory", "tmp/d"), Errno::kSuccess);
  ASSERT_EQ(put(vfs, "tmp/d/f", "deep"), Errno::kSuccess);
  const auto d = opened("tmp/d", oflags::kDirectory, 0);
  ASSERT_EQ(open("f", 0, rights::kFdRead, 0, 1, d), Errno::kSuccess);
  EXPECT_EQ(read(out32()), "deep");
  EXPECT_EQ(stat("../d/f", 1, d), Errno::kSuccess);
  EXPECT_EQ(stat("/tmp", 1, d), Errno::kPerm);
  // Also when they have been moved.
  ASSERT_EQ(two("path_rename", "tmp/d", "workspace/e"), Errno::kSuccess);
  EXPECT_EQ(stat("f", 1, d), Errno::kSuccess);
  EXPECT_EQ(stat("../e/f", 1, d), Errno::kSuccess);
}

TEST_F(P1Paths, links_of_both_kinds) {
  ASSERT_EQ(put(vfs, "tmp/f", "text"), Errno::kSuccess);
  EXPECT_EQ(two("path_symlink", "f", "tmp/l"), Errno::kSuccess);
  EXPECT_EQ(two("path_symlink", "f", "tmp/l"), Errno::kExist);
  EXPECT_EQ(two("path_symlink", "", "tmp/m"), Errno::kNoent);
  EXPECT_EQ(stat("tmp/l", 0), Errno::kSuccess);
  EXPECT_EQ(load<Filestat>(kOut).type, static_cast<int>(FileType::kSymlink));
  EXPECT_EQ(stat("tmp/l", 1), Errno::kSuccess);
  EXPECT_EQ(load<Filestat>(kOut).size, 4u);
  EXPECT_EQ(stat("tmp/l", 2), Errno::kInval);
  EXPECT_EQ(open("tmp/l", 0, rights::kFdRead, 0, 0), Errno::kLoop);

  ASSERT_EQ(two("path_symlink", "a/longer/target", "tmp/t"), Errno::kSuccess);
  const Text p = text("tmp/t");
  EXPECT_EQ(call("path_readlink", {kRoot, p.at, p.size, 100, 50, kOut}), Errno::kSuccess);
  EXPECT_EQ(string_at(100, out32()), "a/longer/target");
  EXPECT_EQ(call("path_readlink", {kRoot, p.at, p.size, 100, 4, kOut}), Errno::kSuccess);
  EXPECT_EQ(string_at(100, out32()), "a/lo");
  EXPECT_EQ(call("path_readlink", {kRoot, p.at, p.size, 100, 0, kOut}), Errno::kSuccess);
  EXPECT_EQ(out32(), 0u);

  EXPECT_EQ(two("path_link", "tmp/f", "tmp/h"), Errno::kSuccess);
  EXPECT_EQ(stat("tmp/h"), Errno::kSuccess);
  EXPECT_EQ(load<Filestat>(kOut).links, 2u);
  EXPECT_EQ(two("path_link", "tmp", "tmp2"), Errno::kPerm);
  EXPECT_EQ(path_call("path_unlink_file", "tmp/f"), Errno::kSuccess);
  EXPECT_EQ(get(vfs, "tmp/h"), "text");
}

TEST_F(P1Paths, rename_replaces) {
  ASSERT_EQ(put(vfs, "tmp/a", "a"), Errno::kSuccess);
  ASSERT_EQ(put(vfs, "tmp/b", "b"), Errno::kSuccess);
  EXPECT_EQ(two("path_rename", "tmp/a", "tmp/b"), Errno::kSuccess);
  EXPECT_EQ(get(vfs, "tmp/b"), "a");
  EXPECT_EQ(two("path_rename", "tmp/a", "tmp/b"), Errno::kNoent);
  EXPECT_EQ(two("path_rename", "tmp/b", "tmp"), Errno::kBusy);
}

TEST_F(P1Paths, times_are_set_by_path_and_links_can_be_meant) {
  ASSERT_EQ(put(vfs, "tmp/f", ""), Errno::kSuccess);
  ASSERT_EQ(two("path_symlink", "f", "tmp/l"), Errno::kSuccess);
  const Text p = text("tmp/l");
  EXPECT_EQ(call("path_filestat_set_times", {kRoot, 1, p.at, p.size, 1, 2, fstflags::kAtim | fstflags::kMtim}),
            Errno::kSuccess);
  EXPECT_EQ(call("path_filestat_set_times", {kRoot, 0, p.at, p.size, 3, 4, fstflags::kAtim | fstflags::kMtim}),
            Errno::kSuccess);
  ASSERT_EQ(stat("tmp/f"), Errno::kSuccess);
  EXPECT_EQ(load<Filestat>(kOut).mtim, 2u);
  ASSERT_EQ(stat("tmp/l", 0), Errno::kSuccess);
  EXPECT_EQ(load<Filestat>(kOut).mtim, 4u);
  EXPECT_EQ(call("path_filestat_set_times", {kRoot, 0, p.at, p.size, 3, 4, 3}), Errno::kInval);
}

TEST_F(P1Paths, open_flags_are_checked) {
  EXPECT_EQ(open("tmp/f", oflags::kCreat | oflags::kExcl), Errno::kSuccess);
  EXPECT_EQ(open("tmp/f", oflags::kCreat | oflags::kExcl), Errno::kExist);
  EXPECT_EQ(open("tmp/f", oflags::kDirectory), Errno::kNotdir);
  EXPECT_EQ(open("tmp/f", 16), Errno::kInval);
  EXPECT_EQ(open("tmp/f", 0, kReadWrite, 32), Errno::kInval);
  EXPECT_EQ(open("tmp/f", 0, kReadWrite, 0, 2), Errno::kInval);
  EXPECT_EQ(open("tmp", 0, kReadWrite), Errno::kIsdir);
  EXPECT_EQ(open("none"), Errno::kNoent);
  EXPECT_EQ(open(std::string_view("tmp\0f", 5)), Errno::kInval);
  ASSERT_EQ(put(vfs, "tmp/f", "text"), Errno::kSuccess);
  EXPECT_EQ(open("tmp/f", oflags::kTrunc), Errno::kSuccess);
  EXPECT_EQ(get(vfs, "tmp/f"), "");
}

TEST_F(P1Paths, nothing_is_done_when_the_result_has_no_place) {
  const Text p = text("tmp/new");
  EXPECT_EQ(call("path_open", {kRoot, 0, p.at, p.size, oflags::kCreat, 0, 0, 0, kSize - 3}), Errno::kFault);
  EXPECT_EQ(stat("tmp/new"), Errno::kNoent);
  config.stdin_bytes = bytes_of("input");
  restart();
  EXPECT_EQ(call("fd_read", {0, iovec(32768, 5), 1, kSize - 3}), Errno::kFault);
  EXPECT_EQ(read(0), "input");
}

TEST_F(P1Paths, a_read_only_file_system_says_so) {
  vfs.reset({.read_only = true}, 0);
  ASSERT_TRUE(vfs.add_file("/workspace/f", bytes_of("text")));
  restart();
  EXPECT_EQ(open("workspace/f", 0, rights::kFdRead), Errno::kSuccess);
  EXPECT_EQ(open("workspace/f", 0, kReadWrite), Errno::kRofs);
  EXPECT_EQ(open("tmp/f", oflags::kCreat), Errno::kRofs);
  EXPECT_EQ(path_call("path_create_directory", "tmp/d"), Errno::kRofs);
  EXPECT_EQ(path_call("path_unlink_file", "workspace/f"), Errno::kRofs);
  EXPECT_EQ(two("path_rename", "workspace/f", "workspace/g"), Errno::kRofs);
  EXPECT_EQ(two("path_symlink", "f", "workspace/g"), Errno::kRofs);
  EXPECT_EQ(two("path_link", "workspace/f", "workspace/g"), Errno::kRofs);
}

}  // namespace
}  // namespace hotcell::wasi
