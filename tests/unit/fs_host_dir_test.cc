#include "wasi/fs/host_dir.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "fs_helpers.h"

namespace hotcell::wasi {
namespace {

using namespace testing;
using Names = std::vector<std::string>;
namespace fs = std::filesystem;

struct HostDirTest : ::testing::Test {
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "hotcell-test-XXXXXX").string();
    top = mkdtemp(pattern.data());
    fs::create_directories(top / "shared/sub/deeper");
    std::ofstream(top / "secret") << "secret";
    std::ofstream(top / "shared/file") << "text";
    std::ofstream(top / "shared/sub/deeper/leaf") << "leaf";
    fs::create_symlink("../secret", top / "shared/escape");
    fs::create_symlink((top / "secret").string(), top / "shared/absolute");
    fs::create_symlink("/etc/passwd", top / "shared/passwd");
    fs::create_symlink("sub/deeper/leaf", top / "shared/inside");
    fs::create_symlink("..", top / "shared/up");
    fs::create_symlink("loop", top / "shared/loop");
    mkfifo((top / "shared/fifo").c_str(), 0600);
    Fd fd(::open((top / "shared").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    ASSERT_TRUE(vfs.mount_host("/data", std::make_shared<LocalDirectory>(std::move(fd))));
  }
  void TearDown() override { fs::remove_all(top); }

  fs::path top;
  Vfs vfs;
  At root() { return at_root(vfs); }
};

TEST_F(HostDirTest, files_and_directories_can_be_read) {
  EXPECT_EQ(get(vfs, "data/file"), "text");
  EXPECT_EQ(get(vfs, "data/sub/deeper/leaf"), "leaf");
  EXPECT_EQ(vfs.stat(root(), "data/file", true)->size, 4u);
  EXPECT_EQ(names(vfs, "/data/sub"), (Names{"deeper"}));
  EXPECT_EQ(stat_error(vfs, "data/none"), Errno::kNoent);
  EXPECT_EQ(stat_error(vfs, "data/file/x"), Errno::kNotdir);
}

TEST_F(HostDirTest, links_are_resolved_among_the_guests_paths_only) {
  EXPECT_EQ(get(vfs, "data/inside"), "leaf");
  EXPECT_EQ(stat_error(vfs, "data/escape"), Errno::kNoent);
  EXPECT_EQ(stat_error(vfs, "data/absolute"), Errno::kNoent);
  EXPECT_EQ(stat_error(vfs, "data/passwd"), Errno::kNoent);
  EXPECT_EQ(stat_error(vfs, "data/loop"), Errno::kLoop);
  EXPECT_EQ(vfs.stat(root(), "data/up", true)->number, vfs.stat(vfs.root()).number);
  EXPECT_EQ(stat_error(vfs, "data/up/secret"), Errno::kNoent);
  EXPECT_EQ(*vfs.read_link(root(), "data/passwd"), "/etc/passwd");
  ASSERT_EQ(put(vfs, "secret", "the guest's own"), Errno::kSuccess);
  EXPECT_EQ(get(vfs, "data/escape"), "the guest's own");
}

TEST_F(HostDirTest, what_is_no_file_is_not_there) {
  EXPECT_EQ(stat_error(vfs, "data/fifo"), Errno::kNoent);
  EXPECT_EQ(names(vfs, "/data"), (Names{"absolute", "escape", "file", "inside", "loop", "passwd", "sub", "up"}));
}

TEST_F(HostDirTest, a_directory_that_becomes_a_link_leads_nowhere) {
  EXPECT_EQ(names(vfs, "/data/sub"), (Names{"deeper"}));
  fs::remove_all(top / "shared/sub");
  fs::create_directory_symlink("..", top / "shared/sub");
  EXPECT_NE(stat_error(vfs, "data/sub/secret"), Errno::kSuccess);
  fs::rename(top / "shared/file", top / "shared/old");
  fs::create_symlink("../secret", top / "shared/file");
  EXPECT_NE(get(vfs, "data/file"), "secret");
}

TEST_F(HostDirTest, nothing_can_be_changed) {
  EXPECT_EQ(put(vfs, "data/file", "x"), Errno::kRofs);
  EXPECT_EQ(put(vfs, "data/new", "x"), Errno::kRofs);
  EXPECT_EQ(put(vfs, "data/sub/new", "x"), Errno::kRofs);
  EXPECT_EQ(vfs.unlink(root(), "data/file"), Errno::kRofs);
  EXPECT_EQ(vfs.rename(root(), "data/file", root(), "tmp/f"), Errno::kRofs);
  EXPECT_EQ(vfs.rename(root(), "data", root(), "tmp/d"), Errno::kRofs);
  EXPECT_EQ(vfs.remove_directory(root(), "data"), Errno::kRofs);
  EXPECT_EQ(vfs.link(root(), "data/file", false, root(), "tmp/f"), Errno::kXdev);
  EXPECT_EQ(vfs.set_times(root(), "data/file", true, {}), Errno::kRofs);
  auto file = vfs.open(root(), "data/file", {});
  EXPECT_EQ(vfs.write(**file, 0, bytes_of("x")).error(), Errno::kRofs);
  EXPECT_EQ(vfs.resize(**file, 0), Errno::kRofs);
  EXPECT_TRUE(vfs.changed("/").list.empty());
}

TEST_F(HostDirTest, numbers_do_not_depend_on_the_order_of_looking) {
  const auto leaf = vfs.stat(root(), "data/sub/deeper/leaf", true)->number;
  const auto file = vfs.stat(root(), "data/file", true)->number;
  EXPECT_NE(leaf, file);
  vfs.reset({}, 0);
  Fd fd(::open((top / "shared").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  ASSERT_TRUE(vfs.mount_host("/data", std::make_shared<LocalDirectory>(std::move(fd))));
  EXPECT_EQ(vfs.stat(root(), "data/file", true)->number, file);
  EXPECT_EQ(vfs.stat(root(), "data/sub/deeper/leaf", true)->number, leaf);
}

TEST_F(HostDirTest, looking_around_is_bounded) {
  vfs.reset({.max_layer_nodes = 3}, 0);
  Fd fd(::open((top / "shared").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  ASSERT_TRUE(vfs.mount_host("/data", std::make_shared<LocalDirectory>(std::move(fd))));
  EXPECT_EQ(stat_error(vfs, "data/sub/deeper/leaf"), Errno::kSuccess);
  EXPECT_EQ(stat_error(vfs, "data/file"), Errno::kNomem);
  EXPECT_EQ(stat_error(vfs, "data/sub/deeper/leaf"), Errno::kSuccess);
}

TEST_F(HostDirTest, descriptors_are_held_only_while_a_file_is_open) {
  const auto open_descriptors = [] {
    std::size_t count = 0;
    for ([[maybe_unused]] const auto& entry : fs::directory_iterator("/proc/self/fd")) ++count;
    return count;
  };
  const auto before = open_descriptors();
  {
    auto one = vfs.open(root(), "data/file", {});
    auto two = vfs.open(root(), "data/file", {});
    EXPECT_EQ(open_descriptors(), before + 1);
  }
  (void)names(vfs, "/data");
  EXPECT_EQ(open_descriptors(), before);
}

TEST_F(HostDirTest, a_mount_point_must_be_free) {
  const auto directory = std::make_shared<LocalDirectory>(Fd(::open("/", O_PATH | O_CLOEXEC)));
  ASSERT_TRUE(vfs.add_file("/taken/f", {}));
  EXPECT_FALSE(vfs.mount_host("/taken", directory));
  EXPECT_FALSE(vfs.mount_host("/data", directory));
  EXPECT_FALSE(vfs.mount_host("/", directory));
  EXPECT_FALSE(vfs.mount_host("relative", directory));
}

}  // namespace
}  // namespace hotcell::wasi
