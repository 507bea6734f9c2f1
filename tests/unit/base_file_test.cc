#include "base/file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

namespace hotcell {
namespace {

namespace fs = std::filesystem;

std::span<const std::uint8_t> bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

struct BaseFile : ::testing::Test {
  fs::path root;
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "hotcell-file-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    root = pattern;
  }
  void TearDown() override { fs::remove_all(root); }
  std::size_t entries() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(root), fs::directory_iterator()));
  }
};

TEST_F(BaseFile, a_file_is_read_whole_or_refused_past_the_cap) {
  const std::string text(200'000, 't');
  ASSERT_TRUE(write_file_atomically(root / "f", bytes_of(text)));
  EXPECT_EQ(read_file(root / "f", text.size()).value(), text);
  const auto refused = read_file(root / "f", text.size() - 1);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "file_too_large");
}

TEST_F(BaseFile, what_cannot_be_read_says_which_file_and_why) {
  const auto missing = read_file(root / "nothing", 10);
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().message.find("nothing: No such file or directory"), std::string::npos)
      << missing.error().message;
  EXPECT_FALSE(read_file(root, 10)) << "a folder";
}

TEST_F(BaseFile, an_endless_file_stops_at_the_cap) { EXPECT_FALSE(read_file("/dev/zero", 1 << 20)); }

TEST_F(BaseFile, a_write_replaces_the_whole_file_and_leaves_nothing_else) {
  ASSERT_TRUE(write_file_atomically(root / "f", bytes_of("the first, longer content")));
  ASSERT_TRUE(write_file_atomically(root / "f", bytes_of("second"), 0600));
  EXPECT_EQ(read_file(root / "f", 100).value(), "second");
  struct stat st{};
  ASSERT_EQ(stat((root / "f").c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0777, 0600u);
  EXPECT_EQ(entries(), 1u);
}

TEST_F(BaseFile, a_write_that_fails_leaves_the_old_content_and_no_temporary_file) {
  EXPECT_FALSE(write_file_atomically(root / "no" / "f", bytes_of("x")));
  fs::create_directory(root / "folder");
  EXPECT_FALSE(write_file_atomically(root / "folder", bytes_of("x"))) << "a folder is in the way";
  EXPECT_EQ(entries(), 1u);
}

TEST_F(BaseFile, a_mapping_shows_the_file_and_moves) {
  std::ofstream(root / "f") << "mapped";
  auto opened = MappedFile::open(root / "f");
  ASSERT_TRUE(opened);
  MappedFile moved = std::move(*opened);
  EXPECT_EQ(std::string(moved.bytes().begin(), moved.bytes().end()), "mapped");
  EXPECT_TRUE(opened->bytes().empty() || opened->bytes().data() == nullptr);
  std::ofstream(root / "empty").flush();
  EXPECT_EQ(MappedFile::open(root / "empty").value().bytes().size(), 0u);
  EXPECT_FALSE(MappedFile::open(root));
  EXPECT_FALSE(MappedFile::open(root / "nothing"));
}

TEST_F(BaseFile, only_what_nobody_else_could_change_is_trusted) {
  const auto path = root / "f";
  std::ofstream(path) << "x";
  for (const auto& [mode, trusted] :
       {std::pair(0644, true), {0600, true}, {0755, true}, {0664, false}, {0646, false}, {0666, false}}) {
    ASSERT_EQ(chmod(path.c_str(), static_cast<mode_t>(mode)), 0);
    const auto result = require_trusted(path);
    EXPECT_EQ(result.has_value(), trusted) << mode;
    if (!result) {
      EXPECT_EQ(result.error().code, "untrusted_path");
    }
  }
  EXPECT_FALSE(require_trusted(root / "nothing"));
  if (geteuid() == 0) {
    ASSERT_EQ(chmod(path.c_str(), 0644), 0);
    ASSERT_EQ(chown(path.c_str(), 12345, 0), 0);
    EXPECT_FALSE(require_trusted(path));
  }
}

}  // namespace
}  // namespace hotcell
