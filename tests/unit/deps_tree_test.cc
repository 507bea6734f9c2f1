#include "deps/tree.h"

#include "deps/manifest.h"
#include "deps/process_locks.h"
#include "deps_cache_helpers.h"

namespace hotcell::deps::testing {
namespace {

class TreeTest : public CacheTest {
 protected:
  void SetUp() override {
    CacheTest::SetUp();
    scratch_fd_ = Fd(::open(scratch_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  Fd scratch_fd_;
};

TEST_F(TreeTest, removes_what_is_protected_deep_and_full_of_links_without_following_them) {
  const auto outside = scratch_ / "outside";
  fs::create_directory(outside);
  std::ofstream(outside / "kept") << "x";
  const auto top = scratch_ / "top";
  // 700 levels: more than a path can name and than descriptors may be open.
  int folder = dup(scratch_fd_.get());
  for (int level = 0; level < 700; ++level) {
    const char* name = level ? "folder-with-a-name" : "top";
    ASSERT_EQ(mkdirat(folder, name, 0700), 0) << level;
    const int next = openat(folder, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    close(folder);
    folder = next;
    ASSERT_EQ(symlinkat(outside.c_str(), folder, "link"), 0);
    const Fd file(openat(folder, "file", O_WRONLY | O_CREAT | O_CLOEXEC, 0));
  }
  close(folder);
  chmod((top / "folder-with-a-name").c_str(), 0);
  chmod(top.c_str(), 0500);
  const auto removed = remove_tree(scratch_fd_.get(), "top");
  ASSERT_TRUE(removed) << removed.error().message;
  EXPECT_EQ(names_in(scratch_), std::vector<std::string>{"outside"});
  EXPECT_TRUE(fs::exists(outside / "kept"));
  EXPECT_TRUE(remove_tree(scratch_fd_.get(), "top")) << "what is gone is no error";
}

TEST_F(TreeTest, a_sealed_tree_reads_back_the_same_and_odd_names_survive_the_manifest) {
  const auto folder = scratch_ / "tree";
  fs::create_directories(folder / "a b" / "c\nd");
  std::ofstream(folder / "a b" / "%41\x01\xff") << "x";
  fs::create_symlink("a b/c\nd", folder / "link to it");
  const Fd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const auto sealed = seal_tree(fd.get(), {}, soon());
  ASSERT_TRUE(sealed) << sealed.error().message;
  const auto read = read_tree(fd.get(), {}, soon());
  ASSERT_TRUE(read);
  EXPECT_EQ(sealed->items, read->items);
  const auto parsed = parse_manifest(manifest_text(*sealed));
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(*parsed, read->items);
  EXPECT_EQ(parsed->size(), 5u);
}

TEST_F(TreeTest, a_manifest_that_lost_a_line_or_its_end_is_refused) {
  fs::create_directory(scratch_ / "tree");
  for (const char* name : {"a", "b", "c"}) std::ofstream(scratch_ / "tree" / name) << name;
  const Fd fd(::open((scratch_ / "tree").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const auto text = manifest_text(seal_tree(fd.get(), {}, soon()).value());
  ASSERT_TRUE(parse_manifest(text));
  for (std::size_t cut = 0; cut < text.size(); ++cut) EXPECT_FALSE(parse_manifest(text.substr(0, cut))) << cut;
  EXPECT_FALSE(parse_manifest(text.substr(text.find('\n') + 1)));
  EXPECT_FALSE(parse_manifest(text + "end 0\n"));
}

TEST(Manifest, says_each_thing_in_one_way_only) {
  const auto hash = std::string(64, 'a');
  EXPECT_TRUE(parse_manifest("d 0555 - - a\nf 0444 4 " + hash + " a/b\nend 2\n"));
  for (const auto& odd : {"d 0555 4 - a", "d 0555 - - a b", "f 0444 4 - a", "f 0444 x - a"})
    EXPECT_FALSE(parse_manifest(std::string(odd) + "\nend 1\n")) << odd;
  EXPECT_FALSE(parse_manifest("f 0444 - " + hash + " a\nend 1\n"));
}

TEST(Links, that_stay_inside_are_told_from_those_that_lead_out) {
  for (const auto& [path, target] : std::vector<std::pair<const char*, const char*>>{{"a", "b"},
                                                                                     {"a", "b/c"},
                                                                                     {"a", "."},
                                                                                     {"a", "./b"},
                                                                                     {"d/a", "../b"},
                                                                                     {"d/e/a", "../../b"},
                                                                                     {"d/a", ".."},
                                                                                     {"a", "..b"},
                                                                                     {"a", "b..c/d"}})
    EXPECT_TRUE(link_stays_inside(path, target)) << path << " -> " << target;
  for (const auto& [path, target] : std::vector<std::pair<const char*, const char*>>{{"a", ""},
                                                                                     {"a", "/b"},
                                                                                     {"a", ".."},
                                                                                     {"a", "../b"},
                                                                                     {"d/a", "../../b"},
                                                                                     {"d/a", "b/../../.."},
                                                                                     {"d/a", "./../.."},
                                                                                     {"a", "b/.."},
                                                                                     {"d/a", "../b/../.."}})
    EXPECT_FALSE(link_stays_inside(path, target)) << path << " -> " << target;
}

class Locks : public TreeTest {
 protected:
  using Kind = ProcessLocks::Kind;
};

TEST_F(Locks, exclude_each_other_in_one_process_and_are_given_back_with_the_descriptor) {
  const auto locks = ProcessLocks::open(scratch_fd_.get(), "locks").value();
  {
    const auto one = locks.try_lock(7, Kind::exclusive).value();
    ASSERT_TRUE(one);
    EXPECT_FALSE(locks.try_lock(7, Kind::exclusive).value());
    EXPECT_FALSE(locks.try_lock(7, Kind::shared).value());
    EXPECT_TRUE(locks.try_lock(8, Kind::exclusive).value()) << "another number";
    EXPECT_TRUE(locks.held(7).value());
    EXPECT_FALSE(locks.held(8).value());
  }
  const auto first = locks.try_lock(7, Kind::shared).value(), second = locks.try_lock(7, Kind::shared).value();
  EXPECT_TRUE(first && second);
  EXPECT_FALSE(locks.try_lock(7, Kind::exclusive).value());
}

TEST_F(Locks, of_a_process_that_is_killed_are_free_at_once) {
  const auto locks = ProcessLocks::open(scratch_fd_.get(), "locks").value();
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t pid = child([&] {
    const auto lock = locks.try_lock(7, Kind::exclusive).value();
    if (lock && write(ready[1], "r", 1) == 1) pause();
  });
  char byte;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  EXPECT_FALSE(locks.lock(7, Kind::shared, Deadline::after_seconds(0.05)).value()) << "until the deadline";
  std::jthread killer([&] { kill(pid, SIGKILL); });
  EXPECT_TRUE(locks.lock(7, Kind::shared, soon()).value());
  killer.join();
  wait_for(pid);
  close(ready[0]), close(ready[1]);
}

TEST_F(Locks, numbers_come_from_names_and_fit_a_file) {
  EXPECT_EQ(lock_number("0000000000000004ff"), 1u);
  EXPECT_LT(lock_number(std::string(64, 'f')), std::uint64_t{1} << 62);
  const auto locks = ProcessLocks::open(scratch_fd_.get(), "locks").value();
  EXPECT_TRUE(locks.try_lock(lock_number(std::string(64, 'f')), Kind::exclusive).value());
}

}  // namespace
}  // namespace hotcell::deps::testing
