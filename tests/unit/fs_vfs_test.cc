#include "wasi/fs/vfs.h"

#include <gtest/gtest.h>

#include "fs_helpers.h"

namespace hotcell::wasi {
namespace {

using namespace testing;
using Names = std::vector<std::string>;

struct VfsTest : ::testing::Test {
  Vfs vfs;
  At root() { return at_root(vfs); }
};

TEST_F(VfsTest, starts_with_two_directories_and_nothing_used) {
  EXPECT_EQ(names(vfs, "/"), (Names{"workspace", "tmp"}));
  EXPECT_EQ(vfs.ledger().bytes, 0u);
  EXPECT_EQ(vfs.ledger().nodes, 0u);
  EXPECT_TRUE(vfs.changed().list.empty());
}

TEST_F(VfsTest, paths_are_walked_like_posix_does) {
  ASSERT_EQ(put(vfs, "workspace/f", "text"), Errno::kSuccess);
  EXPECT_EQ(get(vfs, "workspace//./f"), "text");
  EXPECT_EQ(get(vfs, "tmp/../workspace/f"), "text");
  EXPECT_EQ(get(vfs, "../../workspace/f"), "text") << "the parent of the root is the root";
  EXPECT_EQ(stat_error(vfs, "workspace/f/"), Errno::kNotdir);
  EXPECT_EQ(stat_error(vfs, "workspace/f/x"), Errno::kNotdir);
  EXPECT_EQ(stat_error(vfs, "nowhere/../workspace"), Errno::kNoent);
  EXPECT_EQ(stat_error(vfs, ""), Errno::kNoent);
  EXPECT_EQ(stat_error(vfs, "/workspace"), Errno::kPerm) << "paths are relative to a descriptor";
  EXPECT_EQ(stat_error(vfs, std::string_view("workspace\0x", 11)), Errno::kInval);
  EXPECT_EQ(stat_error(vfs, std::string(256, 'n')), Errno::kNametoolong);
  EXPECT_EQ(stat_error(vfs, std::string(255, 'n')), Errno::kNoent);
  EXPECT_EQ(stat_error(vfs, std::string(4096, '/')), Errno::kNametoolong);
}

TEST_F(VfsTest, nothing_leads_above_the_directory_that_bounds_a_path) {
  ASSERT_EQ(put(vfs, "tmp/secret", "s"), Errno::kSuccess);
  ASSERT_EQ(vfs.make_directory(root(), "workspace/d"), Errno::kSuccess);
  auto workspace = vfs.find("/workspace");
  auto inner = vfs.find("/workspace/d");
  const At at{inner->get(), workspace->get()};
  EXPECT_TRUE(vfs.stat(at, "..", true));
  EXPECT_EQ(vfs.stat(at, "../..", true).error(), Errno::kPerm);
  EXPECT_EQ(vfs.stat(at, "../../tmp/secret", true).error(), Errno::kPerm);
  ASSERT_EQ(vfs.symlink("/tmp/secret", at, "absolute"), Errno::kSuccess);
  ASSERT_EQ(vfs.symlink("../../tmp/secret", at, "relative"), Errno::kSuccess);
  EXPECT_EQ(vfs.stat(at, "absolute", true).error(), Errno::kPerm);
  EXPECT_EQ(vfs.stat(at, "relative", true).error(), Errno::kPerm);
  EXPECT_EQ(get(vfs, "workspace/d/absolute"), "s") << "from the root both may be followed";
  EXPECT_EQ(get(vfs, "workspace/d/relative"), "s");
}

TEST_F(VfsTest, symbolic_links_are_followed_where_asked_and_loops_end) {
  ASSERT_EQ(vfs.make_directory(root(), "tmp/real"), Errno::kSuccess);
  ASSERT_EQ(put(vfs, "tmp/real/f", "text"), Errno::kSuccess);
  ASSERT_EQ(vfs.symlink("real", root(), "tmp/link"), Errno::kSuccess);
  ASSERT_EQ(vfs.symlink("a", root(), "tmp/b"), Errno::kSuccess);
  ASSERT_EQ(vfs.symlink("b", root(), "tmp/a"), Errno::kSuccess);
  EXPECT_EQ(get(vfs, "tmp/link/f"), "text");
  EXPECT_EQ(vfs.stat(root(), "tmp/link", false)->type, FileType::kSymlink);
  EXPECT_EQ(vfs.stat(root(), "tmp/link/", false)->type, FileType::kDirectory);
  EXPECT_EQ(*vfs.read_link(root(), "tmp/link"), "real");
  EXPECT_EQ(vfs.read_link(root(), "tmp/real").error(), Errno::kInval);
  EXPECT_EQ(stat_error(vfs, "tmp/a"), Errno::kLoop);
  EXPECT_EQ(vfs.open(root(), "tmp/link", {}).error(), Errno::kLoop);
  for (int i = 0; i < 41; ++i)
    ASSERT_EQ(vfs.symlink(i == 0 ? "real" : "l" + std::to_string(i - 1), root(), "tmp/l" + std::to_string(i)),
              Errno::kSuccess);
  EXPECT_EQ(get(vfs, "tmp/l39/f"), "text");
  EXPECT_EQ(get(vfs, "tmp/l40/f"), "error 32");
  // A link to itself with a tail grows the path; the limit ends that too.
  ASSERT_EQ(vfs.symlink("grow/x/y", root(), "tmp/grow"), Errno::kSuccess);
  EXPECT_EQ(stat_error(vfs, "tmp/grow"), Errno::kLoop);
}

TEST_F(VfsTest, creating_through_a_dangling_link_creates_its_target) {
  ASSERT_EQ(vfs.symlink("../workspace/made", root(), "tmp/link"), Errno::kSuccess);
  ASSERT_TRUE(vfs.open(root(), "tmp/link", {.create = true, .follow = true, .write = true}));
  EXPECT_EQ(names(vfs, "/workspace"), (Names{"made"}));
  ASSERT_EQ(vfs.symlink("../workspace/other", root(), "tmp/link2"), Errno::kSuccess);
  EXPECT_EQ(vfs.open(root(), "tmp/link2", {.create = true, .exclusive = true, .follow = true}).error(), Errno::kExist);
}

TEST_F(VfsTest, open_flags_mean_what_they_do_elsewhere) {
  ASSERT_EQ(put(vfs, "tmp/f", "text"), Errno::kSuccess);
  EXPECT_EQ(vfs.open(root(), "tmp/f", {.create = true, .exclusive = true}).error(), Errno::kExist);
  EXPECT_EQ(vfs.open(root(), "tmp/f", {.directory = true}).error(), Errno::kNotdir);
  EXPECT_EQ(vfs.open(root(), "tmp/none", {}).error(), Errno::kNoent);
  EXPECT_EQ(vfs.open(root(), "tmp/none/", {.create = true}).error(), Errno::kIsdir);
  EXPECT_EQ(vfs.open(root(), "tmp", {.write = true}).error(), Errno::kIsdir);
  EXPECT_EQ(vfs.open(root(), "tmp", {.create = true}).error(), Errno::kIsdir);
  EXPECT_TRUE(vfs.open(root(), "tmp", {.directory = true}));
  EXPECT_EQ(get(vfs, "tmp/f"), "text");
  ASSERT_TRUE(vfs.open(root(), "tmp/f", {.truncate = true, .write = true}));
  EXPECT_EQ(get(vfs, "tmp/f"), "");
}

TEST_F(VfsTest, an_unlinked_open_file_lives_until_it_is_closed) {
  auto file = create(vfs, "tmp/f");
  ASSERT_TRUE(vfs.write(**file, 0, bytes_of("still here")));
  ASSERT_EQ(vfs.unlink(root(), "tmp/f"), Errno::kSuccess);
  EXPECT_EQ(stat_error(vfs, "tmp/f"), Errno::kNoent);
  EXPECT_EQ(content(vfs, **file), "still here");
  EXPECT_EQ(vfs.stat(**file).links, 0u);
  EXPECT_EQ(vfs.ledger().bytes, 4096u);
  file->reset();
  EXPECT_EQ(vfs.ledger().bytes, 0u);
  EXPECT_EQ(vfs.ledger().nodes, 0u);
}

TEST_F(VfsTest, a_removed_directory_that_is_open_takes_no_entries_and_knows_no_parent) {
  ASSERT_EQ(vfs.make_directory(root(), "tmp/a"), Errno::kSuccess);
  ASSERT_EQ(vfs.make_directory(root(), "tmp/a/b"), Errno::kSuccess);
  auto open = vfs.find("/tmp/a/b");
  ASSERT_EQ(vfs.remove_directory(root(), "tmp/a/b"), Errno::kSuccess);
  ASSERT_EQ(vfs.remove_directory(root(), "tmp/a"), Errno::kSuccess);
  const At at{open->get(), &vfs.root()};
  EXPECT_EQ(vfs.make_directory(at, "x"), Errno::kNoent);
  EXPECT_EQ(vfs.open(at, "x", {.create = true}).error(), Errno::kNoent);
  EXPECT_EQ(vfs.stat(at, "..", true).error(), Errno::kNoent);
  ASSERT_EQ(put(vfs, "tmp/f", ""), Errno::kSuccess);
  EXPECT_EQ(vfs.rename(root(), "tmp/f", at, "f"), Errno::kNoent);
  EXPECT_EQ(vfs.link(root(), "tmp/f", false, at, "f"), Errno::kNoent);
}

TEST_F(VfsTest, hard_links_share_one_file) {
  ASSERT_EQ(put(vfs, "tmp/a", "one"), Errno::kSuccess);
  ASSERT_EQ(vfs.link(root(), "tmp/a", false, root(), "workspace/b"), Errno::kSuccess);
  EXPECT_EQ(vfs.stat(root(), "workspace/b", false)->links, 2u);
  ASSERT_EQ(put(vfs, "tmp/a", "two"), Errno::kSuccess);
  EXPECT_EQ(get(vfs, "workspace/b"), "two");
  ASSERT_EQ(vfs.unlink(root(), "tmp/a"), Errno::kSuccess);
  EXPECT_EQ(get(vfs, "workspace/b"), "two");
  EXPECT_EQ(vfs.link(root(), "tmp", false, root(), "tmp2"), Errno::kPerm);
  EXPECT_EQ(vfs.link(root(), "workspace/b", false, root(), "workspace/b"), Errno::kExist);
  EXPECT_EQ(vfs.link(root(), "workspace/b", false, root(), "workspace/c/"), Errno::kNoent);
}

TEST_F(VfsTest, removing_follows_the_kinds) {
  ASSERT_EQ(put(vfs, "tmp/f", ""), Errno::kSuccess);
  ASSERT_EQ(vfs.make_directory(root(), "tmp/d/"), Errno::kSuccess);
  ASSERT_EQ(vfs.make_directory(root(), "tmp/d/e"), Errno::kSuccess);
  ASSERT_EQ(vfs.symlink("d", root(), "tmp/l"), Errno::kSuccess);
  EXPECT_EQ(vfs.unlink(root(), "tmp/d"), Errno::kIsdir);
  EXPECT_EQ(vfs.unlink(root(), "tmp/f/"), Errno::kNotdir);
  EXPECT_EQ(vfs.remove_directory(root(), "tmp/f"), Errno::kNotdir);
  EXPECT_EQ(vfs.remove_directory(root(), "tmp/l"), Errno::kNotdir);
  EXPECT_EQ(vfs.remove_directory(root(), "tmp/l/"), Errno::kNotdir);
  EXPECT_EQ(vfs.remove_directory(root(), "tmp/d"), Errno::kNotempty);
  EXPECT_EQ(vfs.remove_directory(root(), "tmp/d/."), Errno::kInval);
  EXPECT_EQ(vfs.remove_directory(root(), "tmp/d/e/.."), Errno::kNotempty);
  EXPECT_EQ(vfs.remove_directory(root(), "workspace"), Errno::kBusy);
  EXPECT_EQ(vfs.remove_directory(root(), "."), Errno::kInval);
  EXPECT_EQ(vfs.unlink(root(), "tmp/l"), Errno::kSuccess);
  EXPECT_EQ(vfs.remove_directory(root(), "tmp/d/e/"), Errno::kSuccess);
  EXPECT_EQ(vfs.remove_directory(root(), "tmp/d"), Errno::kSuccess);
  EXPECT_EQ(vfs.make_directory(root(), "tmp/f"), Errno::kExist);
  EXPECT_EQ(vfs.make_directory(root(), "tmp/."), Errno::kExist);
  EXPECT_EQ(vfs.make_directory(root(), "none/d"), Errno::kNoent);
}

TEST_F(VfsTest, rename_follows_posix) {
  for (const auto* name : {"tmp/d", "tmp/d/e", "tmp/empty", "tmp/full"})
    ASSERT_EQ(vfs.make_directory(root(), name), Errno::kSuccess);
  for (const auto* name : {"tmp/f", "tmp/g", "tmp/full/x"}) ASSERT_EQ(put(vfs, name, name), Errno::kSuccess);
  const auto rename = [&](std::string_view from, std::string_view to) { return vfs.rename(root(), from, root(), to); };
  EXPECT_EQ(rename("tmp/d", "tmp/d/e/inside"), Errno::kInval);
  EXPECT_EQ(rename("tmp/d", "tmp/d"), Errno::kSuccess);
  EXPECT_EQ(rename("tmp/d", "tmp/full"), Errno::kNotempty);
  EXPECT_EQ(rename("tmp/d", "tmp/f"), Errno::kNotdir);
  EXPECT_EQ(rename("tmp/f", "tmp/empty"), Errno::kIsdir);
  EXPECT_EQ(rename("tmp/f", "tmp/new/"), Errno::kNotdir);
  EXPECT_EQ(rename("tmp/f/", "tmp/new"), Errno::kNotdir);
  EXPECT_EQ(rename("tmp/none", "tmp/new"), Errno::kNoent);
  EXPECT_EQ(rename("tmp", "tmp2"), Errno::kBusy);
  EXPECT_EQ(rename("tmp/f", "workspace"), Errno::kBusy);
  EXPECT_EQ(rename("tmp/d/..", "tmp/x"), Errno::kBusy);
  EXPECT_EQ(rename("tmp/d", "tmp/empty/"), Errno::kSuccess);
  EXPECT_EQ(names(vfs, "/tmp/empty"), (Names{"e"}));
  EXPECT_EQ(rename("tmp/f", "tmp/g"), Errno::kSuccess);
  EXPECT_EQ(get(vfs, "tmp/g"), "tmp/f");
  EXPECT_EQ(stat_error(vfs, "tmp/f"), Errno::kNoent);
  // Two links to one file: nothing happens.
  ASSERT_EQ(vfs.link(root(), "tmp/g", false, root(), "tmp/h"), Errno::kSuccess);
  EXPECT_EQ(rename("tmp/g", "tmp/h"), Errno::kSuccess);
  EXPECT_EQ(get(vfs, "tmp/g"), "tmp/f");
  // ".." of a moved directory is its new parent.
  EXPECT_EQ(rename("tmp/empty/e", "workspace/e"), Errno::kSuccess);
  EXPECT_EQ(vfs.stat(root(), "workspace/e/..", true)->number, vfs.stat(root(), "workspace", true)->number);
  const std::uint64_t nodes = vfs.ledger().nodes;
  EXPECT_EQ(nodes, 6u);  // empty, full, full/x, g, h, e
}

TEST_F(VfsTest, a_listing_survives_changes_between_its_parts) {
  for (int i = 0; i < 100; ++i) ASSERT_EQ(put(vfs, "tmp/f" + std::to_string(i), ""), Errno::kSuccess);
  auto directory = vfs.find("/tmp");
  Vfs::DirectoryEntry entry;
  int seen = 0;
  for (std::uint64_t cookie = 2; *vfs.next_entry(**directory, cookie, entry); cookie = entry.next) {
    EXPECT_EQ(entry.name, "f" + std::to_string(seen));
    const std::string name(entry.name);
    ASSERT_EQ(vfs.unlink(root(), "tmp/" + name), Errno::kSuccess);
    ++seen;
  }
  EXPECT_EQ(seen, 100);
  EXPECT_TRUE(names(vfs, "/tmp").empty());
}

TEST_F(VfsTest, cookies_fit_into_the_long_of_a_32_bit_guest) {
  ASSERT_EQ(put(vfs, "tmp/f", ""), Errno::kSuccess);
  auto directory = vfs.find("/tmp");
  Vfs::DirectoryEntry entry;
  ASSERT_TRUE(*vfs.next_entry(**directory, 2, entry));
  EXPECT_EQ(entry.name, "f");
  EXPECT_LT(entry.next, static_cast<std::uint64_t>(INT32_MAX));
}

TEST_F(VfsTest, link_counts_of_directories_count_subdirectories) {
  EXPECT_EQ(vfs.stat(vfs.root()).links, 4u);
  ASSERT_EQ(vfs.make_directory(root(), "tmp/a"), Errno::kSuccess);
  ASSERT_EQ(vfs.make_directory(root(), "tmp/b"), Errno::kSuccess);
  EXPECT_EQ(vfs.stat(root(), "tmp", true)->links, 4u);
  ASSERT_EQ(vfs.rename(root(), "tmp/a", root(), "tmp/b"), Errno::kSuccess);
  EXPECT_EQ(vfs.stat(root(), "tmp", true)->links, 3u);
}

struct StepClock : FileClock {
  std::uint64_t time = 100;
  std::uint64_t file_time_ns() override { return ++time; }
};

TEST_F(VfsTest, times_come_from_the_clock_and_can_be_set) {
  StepClock clock;
  vfs.reset({}, 50);
  EXPECT_EQ(vfs.stat(root(), "tmp", true)->mtim, 50u);
  vfs.set_clock(&clock);
  ASSERT_EQ(put(vfs, "tmp/f", "x"), Errno::kSuccess);
  EXPECT_GT(vfs.stat(root(), "tmp/f", true)->mtim, 100u);
  EXPECT_GT(vfs.stat(root(), "tmp", true)->mtim, 100u);
  using What = FileTimes::What;
  ASSERT_EQ(vfs.set_times(root(), "tmp/f", true, {.atim_what = What::kValue, .mtim_what = What::kKeep, .atim = 7}),
            Errno::kSuccess);
  EXPECT_EQ(vfs.stat(root(), "tmp/f", true)->atim, 7u);
  EXPECT_GT(vfs.stat(root(), "tmp/f", true)->mtim, 100u);
  vfs.set_clock(nullptr);
}

// ---- quotas ----

TEST_F(VfsTest, a_million_creates_end_at_the_node_quota) {
  vfs.reset({.max_nodes = 20000}, 0);
  int made = 0;
  Errno last = Errno::kSuccess;
  for (int i = 0; i < 1'000'000 && last == Errno::kSuccess; ++i) {
    const auto file = create(vfs, "tmp/file" + std::to_string(i));
    last = file ? Errno::kSuccess : file.error();
    if (file) ++made;
  }
  EXPECT_EQ(made, 20000);
  EXPECT_EQ(last, Errno::kNospc);
  EXPECT_TRUE(vfs.quota_hit());
  EXPECT_EQ(vfs.make_directory(root(), "tmp/d"), Errno::kNospc);
  EXPECT_EQ(vfs.symlink("x", root(), "tmp/l"), Errno::kNospc);
  EXPECT_EQ(vfs.link(root(), "tmp/file0", false, root(), "tmp/h"), Errno::kNospc);
  ASSERT_EQ(vfs.unlink(root(), "tmp/file0"), Errno::kSuccess);
  EXPECT_TRUE(create(vfs, "tmp/again"));
}

TEST_F(VfsTest, the_byte_quota_covers_all_files_and_link_targets) {
  vfs.reset({.max_bytes = 10 * 4096}, 0);
  ASSERT_EQ(put(vfs, "tmp/a", std::string(8 * 4096, 'x')), Errno::kSuccess);
  EXPECT_EQ(put(vfs, "tmp/b", std::string(3 * 4096, 'x')), Errno::kNospc);
  EXPECT_EQ(vfs.symlink(std::string(4000, 'x'), root(), "tmp/l"), Errno::kNospc);
  ASSERT_EQ(vfs.unlink(root(), "tmp/a"), Errno::kSuccess);
  EXPECT_EQ(vfs.symlink(std::string(4000, 'x'), root(), "tmp/l"), Errno::kSuccess);
  EXPECT_EQ(vfs.ledger().nodes, 2u);
  ASSERT_EQ(vfs.unlink(root(), "tmp/l"), Errno::kSuccess);
  ASSERT_EQ(vfs.unlink(root(), "tmp/b"), Errno::kSuccess);
  EXPECT_EQ(vfs.ledger().bytes, 0u);
}

TEST_F(VfsTest, sizes_beyond_reason_are_refused) {
  auto file = create(vfs, "tmp/f");
  EXPECT_EQ(vfs.resize(**file, std::uint64_t{1} << 60), Errno::kFbig);
  EXPECT_EQ(vfs.write(**file, std::uint64_t{1} << 60, bytes_of("x")).error(), Errno::kFbig);
  EXPECT_EQ(vfs.reserve(**file, 0, std::uint64_t{1} << 60), Errno::kFbig);
  EXPECT_EQ(vfs.reserve(**file, 1, UINT64_MAX), Errno::kFbig);
  EXPECT_EQ(vfs.resize(**file, 1'000'000'000), Errno::kSuccess);
  EXPECT_EQ(vfs.ledger().bytes, 0u);
}

TEST_F(VfsTest, directories_end_at_the_depth_limit_also_when_they_are_moved) {
  vfs.reset({.max_depth = 10}, 0);
  std::string path = "tmp";
  for (int depth = 1; depth < 10; ++depth) {
    path += "/d";
    ASSERT_EQ(vfs.make_directory(root(), path), Errno::kSuccess) << path;
  }
  EXPECT_EQ(vfs.make_directory(root(), path + "/d"), Errno::kNametoolong);
  EXPECT_EQ(put(vfs, path + "/f", ""), Errno::kNametoolong);
  ASSERT_EQ(vfs.make_directory(root(), "workspace/a"), Errno::kSuccess);
  EXPECT_EQ(vfs.rename(root(), "tmp/d", root(), "workspace/a/d"), Errno::kNametoolong);
  EXPECT_EQ(vfs.rename(root(), "tmp/d", root(), "workspace/d"), Errno::kSuccess);
}

TEST_F(VfsTest, very_deep_trees_are_moved_collected_and_freed_without_recursion) {
  vfs.reset({.max_nodes = 300'000, .max_depth = 300'000}, 0);
  // From the inside out, so that no path grows long: wrap what is there into one more directory.
  ASSERT_EQ(vfs.make_directory(root(), "tmp/top"), Errno::kSuccess);
  for (int i = 0; i < 3000; ++i) {
    ASSERT_EQ(vfs.make_directory(root(), "tmp/new"), Errno::kSuccess);
    ASSERT_EQ(vfs.rename(root(), "tmp/top", root(), "tmp/new/d"), Errno::kSuccess);
    ASSERT_EQ(vfs.rename(root(), "tmp/new", root(), "tmp/top"), Errno::kSuccess);
  }
  EXPECT_FALSE(vfs.all().complete) << "paths past the limit are left out, and that is said";
  vfs.reset({}, 0);
  EXPECT_EQ(names(vfs, "/tmp"), Names{});
}

TEST_F(VfsTest, read_only_refuses_every_change_but_the_callers) {
  vfs.reset({.read_only = true}, 0);
  ASSERT_TRUE(vfs.add_file("/workspace/given", bytes_of("data")));
  EXPECT_EQ(get(vfs, "workspace/given"), "data");
  EXPECT_EQ(put(vfs, "tmp/f", "x"), Errno::kRofs);
  EXPECT_EQ(vfs.open(root(), "workspace/given", {.write = true}).error(), Errno::kRofs);
  EXPECT_EQ(vfs.open(root(), "workspace/given", {.truncate = true}).error(), Errno::kRofs);
  EXPECT_EQ(vfs.make_directory(root(), "tmp/d"), Errno::kRofs);
  EXPECT_EQ(vfs.symlink("x", root(), "tmp/l"), Errno::kRofs);
  EXPECT_EQ(vfs.link(root(), "workspace/given", false, root(), "tmp/l"), Errno::kRofs);
  EXPECT_EQ(vfs.unlink(root(), "workspace/given"), Errno::kRofs);
  EXPECT_EQ(vfs.rename(root(), "workspace/given", root(), "tmp/x"), Errno::kRofs);
  EXPECT_EQ(vfs.set_times(root(), "workspace/given", true, {}), Errno::kRofs);
  auto file = vfs.open(root(), "workspace/given", {});
  EXPECT_EQ(vfs.write(**file, 0, bytes_of("x")).error(), Errno::kRofs);
  EXPECT_EQ(vfs.resize(**file, 0), Errno::kRofs);
  EXPECT_TRUE(vfs.changed().list.empty());
}

TEST_F(VfsTest, the_root_can_be_closed_while_its_directories_stay_open) {
  vfs.reset({.writable_root = false}, 0);
  EXPECT_EQ(put(vfs, "f", "x"), Errno::kRofs);
  EXPECT_EQ(put(vfs, "tmp/f", "x"), Errno::kSuccess);
  ASSERT_TRUE(vfs.add_file("/data/f", bytes_of("x")));
  EXPECT_EQ(put(vfs, "data/g", "x"), Errno::kSuccess);
}

// ---- what the caller puts in, and gets out ----

TEST_F(VfsTest, the_callers_paths_must_be_plain) {
  for (const auto* path : {"", "/", "relative", "/a/../b", "/./a", "//a", "/a//b", "/a/"})
    EXPECT_FALSE(vfs.add_file(path, {})) << path;
  EXPECT_FALSE(vfs.add_file(std::string_view("/a\0b", 4), {}));
  EXPECT_FALSE(vfs.add_file("/" + std::string(256, 'n'), {}));
  ASSERT_TRUE(vfs.add_file("/workspace/f", {}));
  EXPECT_FALSE(vfs.add_file("/workspace/f", {}));
  EXPECT_FALSE(vfs.add_file("/workspace/f/x", {}));
  EXPECT_FALSE(vfs.add_file("/workspace", {}));
  ASSERT_TRUE(vfs.add_symlink("/workspace/l", "/tmp"));
  EXPECT_FALSE(vfs.add_file("/workspace/l/x", {})) << "links are not followed for the caller";
}

std::vector<std::string> shown(const Vfs::Changes& changes) {
  std::vector<std::string> out;
  for (const auto& [change, item] : changes.list) {
    const char* what = change == Vfs::Change::kCreated ? "+" : change == Vfs::Change::kModified ? "~" : "-";
    out.push_back(what + item.path);
  }
  return out;
}

TEST_F(VfsTest, changes_are_what_the_guest_created_modified_and_deleted_in_order) {
  for (const auto* name : {"/workspace/keep", "/workspace/edit", "/workspace/gone", "/workspace/moved",
                           "/workspace/sub/rewritten", "/data/outside"})
    ASSERT_TRUE(vfs.add_file(name, bytes_of("given")));
  ASSERT_TRUE(vfs.add_directory("/workspace/emptied"));
  EXPECT_TRUE(vfs.changed("/").list.empty());

  ASSERT_EQ(put(vfs, "workspace/edit", "more"), Errno::kSuccess);
  ASSERT_EQ(vfs.unlink(root(), "workspace/gone"), Errno::kSuccess);
  ASSERT_EQ(vfs.rename(root(), "workspace/moved", root(), "workspace/a new name"), Errno::kSuccess);
  ASSERT_EQ(vfs.unlink(root(), "workspace/sub/rewritten"), Errno::kSuccess);
  ASSERT_EQ(put(vfs, "workspace/sub/rewritten", "given"), Errno::kSuccess);
  ASSERT_EQ(put(vfs, "workspace/sub.txt", "x"), Errno::kSuccess);
  ASSERT_EQ(vfs.symlink("/data/outside", root(), "workspace/link"), Errno::kSuccess);
  ASSERT_EQ(vfs.make_directory(root(), "workspace/newdir"), Errno::kSuccess);
  ASSERT_EQ(put(vfs, "tmp/scratch", "x"), Errno::kSuccess);
  ASSERT_EQ(put(vfs, "data/outside", "x"), Errno::kSuccess);
  ASSERT_TRUE(vfs.open(root(), "workspace/keep", {.write = true}));

  const auto changes = vfs.changed();
  EXPECT_TRUE(changes.complete);
  EXPECT_EQ(shown(changes), (Names{"+/workspace/a new name", "~/workspace/edit", "~/workspace/sub/rewritten",
                                   "+/workspace/sub.txt", "-/workspace/gone", "-/workspace/moved"}));
  EXPECT_EQ(content(vfs, *changes.list[0].item.node), "given");
  EXPECT_EQ(shown(vfs.changed("/tmp")), (Names{"+/tmp/scratch"}));
  EXPECT_EQ(vfs.changed("/").list.size(), 8u);
  EXPECT_FALSE(vfs.changed("/", 3).complete);
  EXPECT_EQ(vfs.changed("/", 3).list.size(), 3u);
  EXPECT_TRUE(vfs.changed("/none").list.empty());
}

TEST_F(VfsTest, everything_can_be_enumerated) {
  ASSERT_TRUE(vfs.add_file("/workspace/b/f", bytes_of("12")));
  ASSERT_EQ(vfs.symlink("b", root(), "workspace/a"), Errno::kSuccess);
  const auto all = vfs.all();
  ASSERT_EQ(all.list.size(), 5u);
  EXPECT_EQ(all.list[0].item.path, "/tmp");
  EXPECT_EQ(all.list[2].item.path, "/workspace/a");
  EXPECT_EQ(all.list[2].item.target, "b");
  EXPECT_EQ(all.list[4].item.path, "/workspace/b/f");
  EXPECT_EQ(all.list[4].item.size, 2u);
}

TEST_F(VfsTest, a_reset_leaves_nothing_and_makes_old_references_inert) {
  auto file = create(vfs, "tmp/f");
  ASSERT_TRUE(vfs.write(**file, 0, bytes_of("x")));
  ASSERT_TRUE(vfs.add_file("/workspace/g", bytes_of("x")));
  vfs.reset({}, 0);
  file->reset();
  EXPECT_EQ(vfs.ledger().bytes, 0u);
  EXPECT_EQ(names(vfs, "/tmp"), Names{});
  EXPECT_EQ(names(vfs, "/workspace"), Names{});
  EXPECT_TRUE(vfs.changed("/").list.empty());
  EXPECT_EQ(vfs.stat(vfs.root()).number, 1u);
}

TEST_F(VfsTest, the_requests_bytes_are_kept_alive_as_long_as_they_are_needed) {
  auto buffer = std::make_shared<std::string>("kept");
  std::weak_ptr<std::string> watch = buffer;
  ASSERT_TRUE(vfs.add_file("/workspace/f", bytes_of(*buffer), buffer));
  buffer.reset();
  EXPECT_EQ(get(vfs, "workspace/f"), "kept");
  vfs.reset({}, 0);
  EXPECT_TRUE(watch.expired());
}

}  // namespace
}  // namespace hotcell::wasi
