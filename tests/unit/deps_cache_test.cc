#include "deps/cache.h"

#include <sys/mount.h>
#include <sys/resource.h>

#include "deps_cache_helpers.h"

namespace hotcell::deps::testing {
namespace {

class Cache : public CacheTest {};

TEST_F(Cache, installs_once_and_then_serves_without_an_installer) {
  const auto cache = open();
  const auto wanted = wish({"requests>=2", "numpy"});
  EXPECT_FALSE(cache->find(wanted, soon()).value().has_value());
  {
    const auto lease = acquire(*cache, wanted);
    EXPECT_FALSE(lease.hit);
    EXPECT_FALSE(lease.waited);
    EXPECT_EQ(FakeInstaller::what_is(lease.content(), "numpy"), "version = '1.0'\n");
    EXPECT_EQ(lease.record().lock.packages().size(), 3u);
    EXPECT_EQ(lease.content().parent_path().parent_path(), root_ / "shared");
    EXPECT_EQ(lease.mount(), cache->mount(""));
  }
  const auto again = acquire(*cache, wish({"NumPy", "requests >= 2.0"}));
  EXPECT_TRUE(again.hit);
  EXPECT_TRUE(open()->find(wanted, soon()).value().has_value()) << "another process, later";
  EXPECT_EQ(installer_.resolves, 1);
  EXPECT_EQ(installer_.installs, 1);
  const auto metrics = cache->metrics();
  EXPECT_EQ(metrics.hits, 1u);
  EXPECT_EQ(metrics.misses, 2u);
  EXPECT_EQ(metrics.installs, 1u);
  EXPECT_GT(metrics.bytes, 9000u);
}

TEST_F(Cache, a_look_is_no_use) {
  const auto cache = open();
  const auto wanted = wish({"numpy"});
  const auto lock = acquire(*cache, wanted).record().lock;
  const auto used = cache->entries().value().at(0).row.used_ms;
  now_ms_ += 3600'000;
  EXPECT_TRUE(cache->has(wanted.target, lock, "").value());
  EXPECT_FALSE(cache->has(wanted.target, lock, "a tenant").value());
  EXPECT_EQ(cache->entries().value().at(0).row.used_ms, used);
  EXPECT_EQ(cache->metrics().hits, 0u);
}

TEST_F(Cache, a_wish_is_resolved_again_after_the_ttl_and_an_equal_lock_leads_to_the_old_entry) {
  const auto cache = open();
  const auto wanted = wish({"numpy"});
  acquire(*cache, wanted);
  now_ms_ += 24 * 3600'000 - 1;
  EXPECT_TRUE(acquire(*cache, wanted).hit);
  now_ms_ += 1;
  EXPECT_FALSE(cache->find(wanted, soon()).value().has_value());
  EXPECT_FALSE(cache->resolved(wanted).value().has_value());
  const auto same = acquire(*cache, wanted);
  EXPECT_EQ(installer_.resolves, 2);
  EXPECT_EQ(installer_.installs, 1) << "the same versions";

  now_ms_ += 24 * 3600'000;
  installer_.versions["numpy"] = "2.0";
  EXPECT_EQ(FakeInstaller::what_is(acquire(*cache, wanted).content(), "numpy"), "version = '2.0'\n");
  EXPECT_EQ(installer_.installs, 2);
  EXPECT_EQ(FakeInstaller::what_is(same.content(), "numpy"), "version = '1.0'\n") << "entries never change";
}

TEST_F(Cache, a_clock_that_is_set_back_makes_nothing_young_for_ever) {
  const auto cache = open();
  acquire(*cache, wish({"numpy"}));
  now_ms_ -= 1000;
  EXPECT_FALSE(cache->find(wish({"numpy"}), soon()).value().has_value());
}

TEST_F(Cache, wishes_that_resolve_to_the_same_lock_share_an_entry) {
  const auto cache = open();
  const auto one = acquire(*cache, wish({"numpy"}));
  const auto other = acquire(*cache, wish({"numpy>=1"}));
  EXPECT_EQ(one.record(), other.record());
  EXPECT_EQ(installer_.resolves, 2);
  EXPECT_EQ(installer_.installs, 1);
}

TEST_F(Cache, an_old_lock_serves_while_the_index_cannot_be_reached) {
  const auto cache = open();
  acquire(*cache, wish({"numpy"}));
  now_ms_ += 48 * 3600'000;
  installer_.on_resolve = [](Deadline) { return Error{"dependency_network", "no route to the index", ""}; };
  const auto lease = acquire(*cache, wish({"numpy"}));
  EXPECT_TRUE(lease.stale);
  EXPECT_EQ(cache->metrics().stale, 1u);
  const auto other = cache->acquire(wish({"pandas"}), installer_, soon());
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().message, "no route to the index");
}

TEST_F(Cache, tenants_do_not_share_what_came_from_private_indexes) {
  const auto cache = open();
  const auto common = acquire(*cache, wish({"numpy"}));
  const auto first = acquire(*cache, wish({"numpy"}, "tenant one"));
  const auto second = acquire(*cache, wish({"numpy"}, "tenant two"));
  EXPECT_EQ(installer_.installs, 3);
  EXPECT_EQ(first.record().key, second.record().key);
  EXPECT_NE(first.record().name, second.record().name);
  EXPECT_NE(first.mount(), second.mount());
  EXPECT_NE(first.mount(), common.mount());
  EXPECT_FALSE(cache->find(wish({"numpy"}, "tenant three"), soon()).value().has_value());
  EXPECT_EQ(first.mount().parent_path(), root_ / "scoped");
}

TEST_F(Cache, names_cannot_be_guessed_and_folders_cannot_be_listed_by_cells) {
  const auto cache = open();
  const auto lease = acquire(*cache, wish({"numpy"}, "tenant"));
  const auto common = acquire(*cache, wish({"numpy"}));
  EXPECT_EQ(common.record().name.find(hex(common.record().key)), std::string::npos);
  for (const auto& path : {root_, root_ / "shared", root_ / "scoped", lease.mount()})
    EXPECT_EQ(mode_of(path), 0711u) << path;
  EXPECT_EQ(mode_of(root_ / "secret"), 0600u);
  EXPECT_EQ(mode_of(root_ / "index.db"), 0600u);
  for (const char* closed : {"locks", "staging"}) EXPECT_EQ(mode_of(root_ / closed), 0700u) << closed;
  EXPECT_EQ(mode_of(common.content().parent_path() / "record"), 0400u);
  EXPECT_EQ(mode_of(common.content().parent_path() / "manifest"), 0400u);

  // Another installation gives the same packages another name.
  auto other = options();
  other.folder = scratch_ / "other";
  EXPECT_NE(acquire(*open(other), wish({"numpy"})).record().name, common.record().name);
}

TEST_F(Cache, what_is_installed_cannot_be_changed_and_keeps_only_harmless_modes) {
  const auto outside = scratch_ / "outside";
  std::ofstream(outside) << "shared with somebody";
  installer_.add = [&](const fs::path& folder) {
    fs::create_hard_link(outside, folder / "two-names");
    std::ofstream(folder / "setuid") << "x";
    chmod((folder / "setuid").c_str(), 06755);
    std::ofstream(folder / "closed") << "x";
    chmod((folder / "closed").c_str(), 0);
    fs::create_directory(folder / "closed-folder");
    chmod((folder / "closed-folder").c_str(), 0);
    fs::create_directory(folder / "open-folder");
    chmod((folder / "open-folder").c_str(), 0777);
  };
  const auto lease = acquire(*open(), wish({"numpy"}));
  const auto content = lease.content();
  EXPECT_EQ(mode_of(content), 0555u);
  EXPECT_EQ(mode_of(content / "numpy" / "__init__.py"), 0444u);
  EXPECT_EQ(mode_of(content / "numpy" / "run.sh"), 0555u);
  EXPECT_EQ(mode_of(content / "numpy" / "inner"), 0555u);
  EXPECT_EQ(mode_of(content / "setuid"), 0555u);
  EXPECT_EQ(mode_of(content / "closed"), 0444u);
  EXPECT_EQ(mode_of(content / "closed-folder"), 0555u);
  EXPECT_EQ(mode_of(content / "open-folder"), 0555u);
  std::ofstream(outside, std::ios::app) << ", changed";
  EXPECT_EQ(read_file(content / "two-names", 100).value(), "shared with somebody");
  expect_undamaged(*open());
}

TEST_F(Cache, packages_with_dangerous_files_are_refused) {
  const std::map<std::string, std::function<void(const fs::path&)>> dangers = {
      {"is a link that leads out", [](const fs::path& f) { fs::create_symlink("/etc/passwd", f / "x"); }},
      {"a link that leads out", [](const fs::path& f) { fs::create_symlink("../../secret", f / "x"); }},
      {"x is a link that leads", [](const fs::path& f) { fs::create_symlink("numpy/../..", f / "x"); }},
      {"neither a file", [](const fs::path& f) { mkfifo((f / "x").c_str(), 0600); }},
      {"nested too deeply",
       [](const fs::path& f) {
         auto deep = f;
         for (int i = 0; i < 70; ++i) deep /= "d";
         fs::create_directories(deep);
       }},
  };
  for (const auto& [reason, danger] : dangers) {
    installer_.add = danger;
    auto fast = options();
    fast.failure_memory = std::chrono::seconds(0);
    const auto cache = open(fast);
    const auto lease = cache->acquire(wish({"numpy"}), installer_, soon());
    ASSERT_FALSE(lease) << reason;
    EXPECT_EQ(lease.error().code, "install_invalid");
    EXPECT_NE(lease.error().message.find(reason), std::string::npos) << lease.error().message;
    EXPECT_TRUE(names_in(root_ / "shared").empty());
    EXPECT_TRUE(names_in(root_ / "staging").empty());
  }
}

TEST_F(Cache, packages_over_the_limits_are_refused) {
  auto small = options();
  small.entry_limits.max_bytes = 100'000;
  installer_.add = [](const fs::path& folder) { std::ofstream(folder / "big") << std::string(200'000, 'x'); };
  const auto large = open(small)->acquire(wish({"numpy"}), installer_, soon());
  ASSERT_FALSE(large);
  EXPECT_EQ(large.error().code == "install_too_large" || large.error().code == "file_too_large", true)
      << large.error().code;
}

TEST_F(Cache, an_error_of_the_installer_arrives_word_for_word_and_is_not_tried_again_at_once) {
  const auto cache = open();
  installer_.on_install = [](Deadline) {
    return Error{"dependency_no_wheel", "the package numpy has no wheel for cpython-3.11", "ask for an older version"};
  };
  for (int i = 0; i < 3; ++i) {
    const auto lease = open()->acquire(wish({"numpy"}), installer_, soon());
    ASSERT_FALSE(lease);
    EXPECT_EQ(lease.error().code, "dependency_no_wheel");
    EXPECT_EQ(lease.error().message, "the package numpy has no wheel for cpython-3.11");
    EXPECT_EQ(lease.error().hint, "ask for an older version");
  }
  EXPECT_EQ(installer_.installs, 1);
  now_ms_ += 3000;
  installer_.on_install = nullptr;
  EXPECT_FALSE(acquire(*cache, wish({"numpy"})).hit);
  EXPECT_TRUE(names_in(root_ / "staging").empty());
}

TEST_F(Cache, the_least_recently_used_goes_first_and_what_is_used_stays) {
  auto bounded = options();
  const auto probe = open();
  const auto size = acquire(*probe, wish({"p0"})).record().bytes;
  bounded.max_bytes = size * 3;
  const auto cache = open(bounded);
  std::vector<Lease> held;
  for (const char* name : {"p1", "p2"}) {
    now_ms_ += 10'000;
    held.push_back(acquire(*cache, wish({name})));
  }
  now_ms_ += 10'000;
  EXPECT_TRUE(acquire(*cache, wish({"p0"})).hit) << "used again: now p1 is the oldest, but it is held";
  now_ms_ += 10'000;
  acquire(*cache, wish({"p3"}));
  const auto there = [&](const std::string& name) {  // without using it
    const auto entries = cache->entries().value();
    return std::ranges::any_of(
        entries, [&](const CacheEntry& entry) { return entry.row.packages.ends_with(", " + name + " 1.0"); });
  };
  EXPECT_TRUE(there("p1"));
  EXPECT_TRUE(there("p2"));
  EXPECT_FALSE(there("p0"));
  EXPECT_TRUE(there("p3"));
  held.clear();
  now_ms_ += 10'000;
  acquire(*cache, wish({"p4"}));
  EXPECT_FALSE(there("p1")) << "free now";
  EXPECT_EQ(cache->metrics().evictions, 2u);
  EXPECT_LE(cache->metrics().bytes, bounded.max_bytes);
}

TEST_F(Cache, an_entry_larger_than_the_bound_serves_the_one_who_asked_for_it) {
  auto tiny = options();
  tiny.max_bytes = 1;
  const auto cache = open(tiny);
  {
    const auto lease = acquire(*cache, wish({"numpy"}));
    EXPECT_EQ(FakeInstaller::what_is(lease.content(), "numpy"), "version = '1.0'\n");
    EXPECT_EQ(cache->prune()->in_use, 1u);
    EXPECT_EQ(FakeInstaller::what_is(lease.content(), "numpy"), "version = '1.0'\n");
  }
  EXPECT_EQ(cache->prune()->removed.size(), 1u);
  EXPECT_TRUE(names_in(root_ / "shared").empty());
}

TEST_F(Cache, prune_removes_what_was_not_used_for_the_ttl) {
  const auto cache = open();
  acquire(*cache, wish({"old"}));
  now_ms_ += 20 * 3600'000;
  acquire(*cache, wish({"young"}));
  now_ms_ += 5 * 3600'000;
  const auto report = cache->prune();
  ASSERT_TRUE(report) << report.error().message;
  ASSERT_EQ(report->removed.size(), 1u);
  EXPECT_EQ(report->removed[0].packages, "needed-by-all 1.0, old 1.0");
  EXPECT_GT(report->bytes_freed, 0u);
  EXPECT_EQ(cache->entries()->size(), 1u);
}

TEST_F(Cache, a_lease_of_another_process_protects_until_that_process_is_dead_even_by_kill_9) {
  acquire(*open(), wish({"numpy"}));
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t pid = child([&] {
    const auto cache = open();
    const auto lease = acquire(*cache, wish({"numpy"}));
    if (write(ready[1], "r", 1) == 1) pause();
  });
  char byte;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  const auto cache = open();
  now_ms_ += 100 * 3600'000;
  auto report = cache->prune();
  ASSERT_TRUE(report);
  EXPECT_EQ(report->in_use, 1u);
  EXPECT_TRUE(cache->entries()->at(0).in_use);
  EXPECT_FALSE(cache->remove(cache->entries()->at(0).row).value());
  kill(pid, SIGKILL);
  wait_for(pid);
  EXPECT_FALSE(cache->entries()->at(0).in_use);
  EXPECT_EQ(cache->prune()->removed.size(), 1u);
  close(ready[0]), close(ready[1]);
}

TEST_F(Cache, a_lost_or_damaged_index_is_rebuilt_from_the_folders) {
  acquire(*open(), wish({"numpy"}));
  acquire(*open(), wish({"pandas"}, "tenant"));
  const auto garbage = [&](std::size_t size) {
    std::ofstream(root_ / "index.db", std::ios::binary | std::ios::trunc) << std::string(size, '#');
  };
  const std::vector<std::pair<const char*, std::function<void()>>> accidents = {
      {"gone", [&] { fs::remove(root_ / "index.db"); }},
      {"empty", [&] { garbage(0); }},
      {"garbage", [&] { garbage(50'000); }},
      {"garbage with an old log",
       [&] {
         garbage(50'000);
         std::ofstream(root_ / "index.db-wal", std::ios::binary) << std::string(9000, '!');
       }},
      {"cut in the middle", [&] { fs::resize_file(root_ / "index.db", 5000); }},
      {"of another version", [&] {
         sqlite3* db = nullptr;
         sqlite3_open((root_ / "index.db").c_str(), &db);
         sqlite3_exec(db, "pragma user_version = 0; drop table entries", nullptr, nullptr, nullptr);
         sqlite3_close(db);
       }}};
  for (const auto& [what, happens] : accidents) {
    const auto running = open();  // notices while it runs, too
    happens();
    const auto cache = open();
    EXPECT_EQ(cache->entries()->size(), 2u) << what;
    EXPECT_EQ(running->entries()->size(), 2u) << what;
    EXPECT_GT(running->metrics().bytes, 0u) << what;
    const auto before = installer_.installs.load();
    EXPECT_FALSE(acquire(*cache, wish({"numpy"})).content().empty()) << what;
    EXPECT_EQ(installer_.installs, before) << what << ": resolved again, not installed again";
  }
}

TEST_F(Cache, pages_of_the_index_that_rot_are_found_by_verify) {
  const auto cache = open();
  for (int i = 0; i < 200; ++i) {
    Wish many = wish({"p" + std::to_string(i)});
    EXPECT_FALSE(cache->find(many, soon()).value().has_value());
  }
  acquire(*cache, wish({"numpy"}));
  {
    const auto closed = open();
    sqlite3* db = nullptr;
    ASSERT_EQ(sqlite3_open((root_ / "index.db").c_str(), &db), SQLITE_OK);
    sqlite3_exec(db, "pragma wal_checkpoint(truncate)", nullptr, nullptr, nullptr);
    sqlite3_close(db);
  }
  const Fd file(::open((root_ / "index.db").c_str(), O_RDWR | O_CLOEXEC));
  struct stat st{};
  ASSERT_EQ(fstat(file.get(), &st), 0);
  ASSERT_GT(st.st_size, 8192);
  const std::string rot(3000, '\xee');
  for (off_t at = 4096; at < st.st_size; at += 4096) ASSERT_EQ(pwrite(file.get(), rot.data(), rot.size(), at), 3000);
  const auto fresh_cache = open();
  const auto report = fresh_cache->verify(true, nullptr, soon());
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(fresh_cache->entries()->size(), 1u);
  EXPECT_TRUE(fresh_cache->verify(false, nullptr, soon())->index_sound);
}

TEST_F(Cache, a_folder_of_an_older_format_is_emptied_and_used_again) {
  acquire(*open(), wish({"numpy"}));
  std::ofstream(root_ / "format", std::ios::trunc) << "hotcell-deps 0\n";
  const auto cache = open();
  EXPECT_TRUE(cache->entries()->empty());
  EXPECT_EQ(read_file(root_ / "format", 100).value(), "hotcell-deps 1\n");
  EXPECT_FALSE(acquire(*cache, wish({"numpy"})).hit);
  expect_undamaged(*cache);
}

TEST_F(Cache, a_folder_of_an_older_format_that_is_in_use_is_left_alone) {
  const auto running = open();
  const auto lease = acquire(*running, wish({"numpy"}));
  std::ofstream(root_ / "format", std::ios::trunc) << "hotcell-deps 0\n";
  const auto cache = DependencyCache::open(options());
  ASSERT_FALSE(cache);
  EXPECT_NE(cache.error().message.find("still running"), std::string::npos);
  EXPECT_EQ(FakeInstaller::what_is(lease.content(), "numpy"), "version = '1.0'\n");
}

void expect_refused(const CacheOptions& options, const std::string& code, const std::string& words) {
  const auto cache = DependencyCache::open(options);
  ASSERT_FALSE(cache) << words;
  EXPECT_EQ(cache.error().code, code) << cache.error().message;
  EXPECT_NE(cache.error().message.find(words), std::string::npos) << cache.error().message;
  EXPECT_FALSE(cache.error().hint.empty());
}

TEST_F(Cache, a_folder_of_a_newer_format_or_with_other_things_in_it_is_not_touched) {
  open();
  std::ofstream(root_ / "format", std::ios::trunc) << "hotcell-deps 2\n";
  expect_refused(options(), "cache_unusable", "newer hotcell");
  std::ofstream(root_ / "format", std::ios::trunc) << "paper size: A4\n";
  expect_refused(options(), "cache_unusable", "is not what a dependency cache has there");
  auto home = options();
  home.folder = scratch_ / "home";
  fs::create_directory(home.folder);
  std::ofstream(home.folder / "thesis.tex") << "x";
  expect_refused(home, "cache_unusable", "thesis.tex");
  EXPECT_EQ(names_in(home.folder), std::vector<std::string>{"thesis.tex"});
}

TEST_F(Cache, folders_that_others_could_change_are_refused) {
  open();
  ASSERT_EQ(chmod(root_.c_str(), 0777), 0);
  expect_refused(options(), "untrusted_path", "writable by others");
  ASSERT_EQ(chmod(root_.c_str(), 0711), 0);
  ASSERT_EQ(chmod((root_ / "secret").c_str(), 0644), 0);
  expect_refused(options(), "untrusted_path", "can be read by others");
  ASSERT_EQ(chmod((root_ / "secret").c_str(), 0600), 0);
  if (geteuid() == 0) {
    ASSERT_EQ(chown((root_ / "shared").c_str(), 4711, 4711), 0);
    expect_refused(options(), "untrusted_path", "belongs to another user");
    ASSERT_EQ(chown(root_.c_str(), 4711, 4711), 0);
    expect_refused(options(), "untrusted_path", "belongs to another user");
  }
}

TEST_F(Cache, a_folder_that_is_a_file_or_a_link_is_refused) {
  std::ofstream(root_) << "x";
  expect_refused(options(), "cache_unusable", "is not a folder");
  fs::remove(root_);
  open();
  fs::remove_all(root_ / "shared");
  fs::create_symlink(scratch_, root_ / "shared");
  expect_refused(options(), "untrusted_path", "is not a folder");
}

TEST_F(Cache, a_lost_secret_makes_old_entries_strangers_that_are_swept) {
  acquire(*open(), wish({"numpy"}));
  std::ofstream(root_ / "secret", std::ios::trunc) << "short";
  const auto cache = open();
  EXPECT_TRUE(cache->entries()->empty());
  EXPECT_EQ(names_in(root_ / "shared").size(), 1u);
  EXPECT_FALSE(acquire(*cache, wish({"numpy"})).hit);
  EXPECT_EQ(cache->prune()->rubbish, 1u);
  EXPECT_EQ(names_in(root_ / "shared").size(), 1u);
  expect_undamaged(*cache);
}

// A file system of its own, with a size; skipped where mounting is not allowed.
class Mounted {
 public:
  Mounted(fs::path at, const char* options, unsigned long flags = 0) : at_(std::move(at)) {
    fs::create_directories(at_);
    ok_ = mount("hotcell-test", at_.c_str(), "tmpfs", flags, options) == 0;
  }
  ~Mounted() {
    if (ok_) umount2(at_.c_str(), MNT_DETACH);
  }
  bool ok() const { return ok_; }

 private:
  fs::path at_;
  bool ok_ = false;
};

TEST_F(Cache, a_read_only_disk_is_said_to_be_read_only) {
  const Mounted disk(root_, "size=4m,mode=0711");
  if (!disk.ok()) GTEST_SKIP() << "mounting is not allowed here";
  acquire(*open(), wish({"numpy"}));
  ASSERT_EQ(mount(nullptr, root_.c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr), 0);
  expect_refused(options(), "cache_read_only", "Read-only file system");
}

TEST_F(Cache, a_cache_without_permission_to_write_is_said_to_be_read_only) {
  if (geteuid() != 0) GTEST_SKIP() << "needs another user to be";
  ASSERT_EQ(chmod(scratch_.c_str(), 0755), 0);
  const int status = wait_for(child([&] {
    if (setresuid(4711, 4711, 4711)) _exit(97);
    expect_refused(options(), "cache_read_only", "Permission denied");
  }));
  EXPECT_EQ(status, 0);
}

TEST_F(Cache, everything_works_for_an_ordinary_user) {
  if (geteuid() != 0) GTEST_SKIP() << "the other tests show it";
  ASSERT_EQ(chmod(scratch_.c_str(), 0777), 0);
  const int status = wait_for(child([&] {
    if (setresgid(4711, 4711, 4711) || setresuid(4711, 4711, 4711)) _exit(97);
    const auto cache = open();
    EXPECT_FALSE(acquire(*cache, wish({"numpy"})).hit);
    EXPECT_TRUE(acquire(*cache, wish({"numpy"})).hit);
    expect_undamaged(*cache);
    now_ms_ += 100 * 3600'000;
    EXPECT_EQ(cache->prune()->removed.size(), 1u);
    EXPECT_TRUE(names_in(root_ / "shared").empty());
    EXPECT_TRUE(names_in(root_ / "staging").empty());
  }));
  EXPECT_EQ(status, 0);
}

TEST_F(Cache, a_full_disk_is_said_to_be_full_and_what_is_there_is_still_served) {
  const Mounted disk(root_, "size=2m,mode=0711");
  if (!disk.ok()) GTEST_SKIP() << "mounting is not allowed here";
  const auto cache = open();
  acquire(*cache, wish({"numpy"}));
  installer_.add = [](const fs::path& folder) { std::ofstream(folder / "big") << std::string(4 << 20, 'x'); };
  installer_.on_install = [this](Deadline) -> std::optional<Error> {
    // An installer that fills the disk, notices, and says so in its own words.
    std::ofstream filler(root_ / "staging" / names_in(root_ / "staging").at(0) / "content" / "big");
    const std::string block(1 << 16, 'x');
    while (filler.write(block.data(), 1 << 16).flush()) {
    }
    return Error{"dependency_failed", "installing pandas failed", ""};
  };
  const auto full = cache->acquire(wish({"pandas"}), installer_, soon());
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code, "cache_full") << full.error().message;
  EXPECT_NE(full.error().message.find("installing pandas failed"), std::string::npos) << full.error().message;
  EXPECT_NE(full.error().hint.find("cache prune"), std::string::npos);
  EXPECT_TRUE(names_in(root_ / "staging").empty()) << "the half-made folder is gone";
  EXPECT_TRUE(acquire(*cache, wish({"numpy"})).hit);

  // Full to the last byte, outside of any install.
  {
    const Fd filler(::open((root_ / "lost+found").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    const std::string block(4096, 'x');
    while (::write(filler.get(), block.data(), block.size()) > 0) {
    }
  }
  EXPECT_TRUE(acquire(*cache, wish({"numpy"})).hit);
  installer_.add = nullptr, installer_.on_install = nullptr;
  now_ms_ += 5000;
  const auto none = cache->acquire(wish({"scipy"}), installer_, soon());
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, "cache_full") << none.error().message;
  fs::remove(root_ / "lost+found");
  now_ms_ += 5000;
  EXPECT_FALSE(acquire(*cache, wish({"scipy"})).hit) << "room again";
  expect_undamaged(*cache);
}

TEST_F(Cache, a_file_size_limit_is_a_full_disk) {
  const int status = wait_for(child([&] {
    const auto cache = open();
    signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{2000, 2000};  // below the manifest
    setrlimit(RLIMIT_FSIZE, &limit);
    installer_.add = [](const fs::path& folder) {
      for (int i = 0; i < 100; ++i) std::ofstream(folder / ("file" + std::to_string(i))) << "x";
    };
    const auto lease = cache->acquire(wish({"numpy"}), installer_, soon());
    ASSERT_FALSE(lease);
    EXPECT_EQ(lease.error().code, "cache_full") << lease.error().message;
  }));
  EXPECT_EQ(status, 0);
}

TEST_F(Cache, folders_on_another_disk_inside_the_cache_are_refused) {
  open();
  const Mounted disk(root_ / "shared", "size=1m");
  if (!disk.ok()) GTEST_SKIP() << "mounting is not allowed here";
  expect_refused(options(), "cache_unusable", "shared");
}

TEST_F(Cache, takes_its_settings_from_the_environment) {
  std::map<std::string, std::string> set;
  const auto get = [&](const char* name) { return set.contains(name) ? set[name].c_str() : nullptr; };
  EXPECT_FALSE(CacheOptions::from_environment(get));
  set["HOME"] = "/home/x";
  EXPECT_EQ(CacheOptions::from_environment(get)->folder, "/home/x/.cache/hotcell/deps");
  EXPECT_EQ(CacheOptions::from_environment(get)->ttl, std::chrono::hours(24));
  set["XDG_CACHE_HOME"] = "/xdg";
  EXPECT_EQ(CacheOptions::from_environment(get)->folder, "/xdg/hotcell/deps");
  set["DEPENDENCY_CACHE_DIR"] = "/srv/deps";
  set["DEPENDENCY_CACHE_TTL_HOURS"] = "0.5";
  set["DEPENDENCY_CACHE_MAX_MB"] = "100";
  EXPECT_EQ(CacheOptions::from_environment(get)->folder, "/srv/deps");
  EXPECT_EQ(CacheOptions::from_environment(get)->ttl, std::chrono::minutes(30));
  EXPECT_EQ(CacheOptions::from_environment(get)->max_bytes, 100u << 20);
  for (const char* bad : {"-1", "x", "1h", "nan", "1e99"}) {
    set["DEPENDENCY_CACHE_TTL_HOURS"] = bad;
    const auto refused = CacheOptions::from_environment(get);
    ASSERT_FALSE(refused) << bad;
    EXPECT_NE(refused.error().message.find("DEPENDENCY_CACHE_TTL_HOURS"), std::string::npos);
  }
}

TEST_F(Cache, a_wish_without_packages_or_for_an_odd_target_is_refused) {
  const auto cache = open();
  EXPECT_EQ(cache->acquire(wish({}), installer_, soon()).error().code, "invalid_requirement");
  auto odd = wish({"numpy"});
  odd.target.interpreter = "../3.11";
  EXPECT_EQ(cache->acquire(odd, installer_, soon()).error().code, "invalid_field");
}

TEST_F(Cache, entries_are_found_by_the_beginning_of_their_key) {
  const auto cache = open();
  const auto key = hex(acquire(*cache, wish({"numpy"})).record().key);
  acquire(*cache, wish({"pandas"}));
  EXPECT_EQ(cache->entry(key.substr(0, 8))->row.packages, "needed-by-all 1.0, numpy 1.0");
  EXPECT_EQ(cache->entry("xyz").error().code, "dependency_not_cached");
  EXPECT_EQ(cache->entry("").error().code, "invalid_field");
  EXPECT_TRUE(cache->remove(cache->entry(key)->row).value());
  EXPECT_EQ(cache->entries()->size(), 1u);
}

}  // namespace
}  // namespace hotcell::deps::testing
