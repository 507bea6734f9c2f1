// Many who ask at once: threads, processes, short deadlines, failures, evictions; and many entries.
#include <algorithm>
#include <barrier>
#include <chrono>
#include <random>

#include "deps_cache_helpers.h"

namespace hotcell::deps::testing {
namespace {

class CacheMany : public CacheTest {
 protected:
  // Children that begin together.
  std::vector<int> together(int processes, const std::function<void(int)>& work) {
    int gate[2];
    if (pipe2(gate, O_CLOEXEC)) std::abort();
    std::vector<pid_t> pids;
    for (int i = 0; i < processes; ++i)
      pids.push_back(child([&, i] {
        close(gate[1]);
        char byte;
        if (read(gate[0], &byte, 1) != 0) std::abort();  // until the parent closes its end
        work(i);
      }));
    close(gate[0]);
    close(gate[1]);
    std::vector<int> out;
    for (const pid_t pid : pids) out.push_back(wait_for(pid));
    return out;
  }
  static void threads(int count, const std::function<void(int)>& work) {
    std::barrier start(count);
    std::vector<std::jthread> all;
    for (int i = 0; i < count; ++i)
      all.emplace_back([&, i] {
        start.arrive_and_wait();
        work(i);
      });
  }
};

std::optional<Error> takes_a_while(Deadline) {
  std::this_thread::sleep_for(std::chrono::milliseconds(150));  // the work of installing
  return std::nullopt;
}

TEST_F(CacheMany, fifty_threads_that_ask_for_one_new_set_cause_one_install) {
  const auto cache = open();
  installer_.on_install = takes_a_while;
  std::atomic<int> right = 0, waited = 0;
  threads(50, [&](int i) {
    const auto lease = acquire(*cache, i % 2 ? wish({"numpy", "pandas"}) : wish({"Pandas", "NumPy"}));
    right += FakeInstaller::what_is(lease.content(), "pandas") == "version = '1.0'\n";
    waited += lease.waited;
  });
  EXPECT_EQ(right, 50);
  EXPECT_EQ(installer_.resolves, 1);
  EXPECT_EQ(installer_.installs, 1);
  EXPECT_EQ(cache->metrics().waits, static_cast<std::uint64_t>(waited));
  EXPECT_EQ(cache->metrics().hits + cache->metrics().misses, 50u);
  EXPECT_FALSE(cache->entries()->at(0).in_use) << "all leases are given back";
}

TEST_F(CacheMany, eight_processes_with_six_threads_each_cause_one_install) {
  for (const int status : together(8, [&](int) {
         installer_.on_install = takes_a_while;
         const auto cache = open();
         threads(6, [&](int) {
           const auto lease = acquire(*cache, wish({"numpy"}));
           EXPECT_EQ(FakeInstaller::what_is(lease.content(), "numpy"), "version = '1.0'\n");
         });
       }))
    EXPECT_EQ(status, 0);
  EXPECT_EQ(installs(), 1u);
  expect_undamaged(*open());
}

TEST_F(CacheMany, wishes_that_differ_but_mean_the_same_lock_cause_one_install_across_processes) {
  for (const int status : together(8, [&](int i) {
         installer_.on_install = takes_a_while;
         acquire(*open(), wish({"numpy>=0." + std::to_string(i)}));
       }))
    EXPECT_EQ(status, 0);
  EXPECT_EQ(installs(), 1u);
}

TEST_F(CacheMany, an_install_that_fails_is_reported_to_all_fifty_and_tried_once) {
  const auto cache = open();
  installer_.on_install = [](Deadline deadline) -> std::optional<Error> {
    takes_a_while(deadline);
    return Error{"dependency_not_found", "there is no package nunpy", "did you mean numpy?"};
  };
  std::atomic<int> told = 0;
  threads(50, [&](int) {
    const auto lease = cache->acquire(wish({"nunpy"}), installer_, soon());
    told +=
        !lease && lease.error().message == "there is no package nunpy" && lease.error().hint == "did you mean numpy?";
  });
  EXPECT_EQ(told, 50);
  EXPECT_EQ(installer_.installs, 1);
}

TEST_F(CacheMany, an_install_that_fails_is_reported_to_waiting_processes_and_tried_once) {
  now_ms_ = 1;
  for (const int status : together(8, [&](int i) {
         now_ms_ += i * 1'000'000;  // their clocks disagree: who waited is told all the same
         installer_.on_install = [](Deadline deadline) -> std::optional<Error> {
           std::this_thread::sleep_for(std::chrono::milliseconds(500));
           return takes_a_while(deadline), Error{"dependency_not_found", "there is no package nunpy", ""};
         };
         const auto lease = open()->acquire(wish({"nunpy"}), installer_, soon());
         ASSERT_FALSE(lease);
         EXPECT_EQ(lease.error().message, "there is no package nunpy");
       }))
    EXPECT_EQ(status, 0);
  EXPECT_EQ(installs(), 1u);
}

TEST_F(CacheMany, the_short_deadline_of_the_first_does_not_fail_those_with_more_time) {
  const auto cache = open();
  std::atomic<bool> started = false;
  std::atomic<int> calls = 0;
  installer_.on_install = [&](Deadline deadline) -> std::optional<Error> {
    if (calls++ > 0) return std::nullopt;
    started = true;
    started.notify_all();
    std::this_thread::sleep_for(deadline.left());
    return Error{"dependency_timeout", "installing took too long", ""};
  };
  std::optional<Error> first;
  std::jthread hasty([&] {
    const auto lease = cache->acquire(wish({"numpy"}), installer_, Deadline::after_seconds(0.3));
    if (!lease) first = lease.error();
  });
  started.wait(false);
  const auto lease = acquire(*cache, wish({"numpy"}));
  EXPECT_EQ(FakeInstaller::what_is(lease.content(), "numpy"), "version = '1.0'\n");
  hasty.join();
  ASSERT_TRUE(first);
  EXPECT_EQ(first->code, "dependency_timeout");
  EXPECT_EQ(installer_.installs, 2);
}

TEST_F(CacheMany, who_waits_gives_up_at_his_own_deadline) {
  const auto cache = open();
  std::atomic<bool> started = false, enough = false;
  installer_.on_install = [&](Deadline) -> std::optional<Error> {
    started = true;
    started.notify_all();
    enough.wait(false);
    return std::nullopt;
  };
  std::jthread slow([&] { acquire(*cache, wish({"numpy"})); });
  started.wait(false);
  const auto in_thread = cache->acquire(wish({"numpy"}), installer_, Deadline::after_seconds(0.1));
  ASSERT_FALSE(in_thread);
  EXPECT_EQ(in_thread.error().code, "dependency_timeout");
  const auto elsewhere = open()->acquire(wish({"numpy"}), installer_, Deadline::after_seconds(0.1));
  ASSERT_FALSE(elsewhere) << "the same across processes";
  EXPECT_EQ(elsewhere.error().code, "dependency_timeout");
  enough = true;
  enough.notify_all();
  slow.join();
  EXPECT_EQ(installer_.installs, 1);
  EXPECT_TRUE(acquire(*cache, wish({"numpy"})).hit);
}

TEST_F(CacheMany, when_the_installing_process_is_killed_a_waiting_one_takes_over) {
  int started[2];
  ASSERT_EQ(pipe(started), 0);
  const pid_t pid = child([&] {
    installer_.on_install = [&](Deadline) -> std::optional<Error> {
      if (write(started[1], "s", 1) == 1) pause();
      return std::nullopt;
    };
    acquire(*open(), wish({"numpy"}));
  });
  char byte;
  ASSERT_EQ(read(started[0], &byte, 1), 1);
  const auto cache = open();
  EXPECT_EQ(names_in(root_ / "staging").size(), 1u) << "its owner lives: not swept";
  std::jthread waiting([&] { acquire(*cache, wish({"numpy"})); });
  kill(pid, SIGKILL);
  wait_for(pid);
  waiting.join();
  EXPECT_EQ(installs(), 2u);
  ASSERT_TRUE(cache->prune());
  EXPECT_TRUE(names_in(root_ / "staging").empty());
  expect_undamaged(*cache);
  close(started[0]), close(started[1]);
}

TEST_F(CacheMany, processes_that_install_evict_prune_and_verify_at_once_never_see_a_wrong_entry) {
  std::uint64_t size = 0;
  {
    auto elsewhere = options();
    elsewhere.folder = scratch_ / "probe";
    size = acquire(*open(elsewhere), wish({"p1"})).record().bytes;
  }
  fs::remove(scratch_ / "tally");
  for (const int status : together(6, [&](int process) {
         auto with = options();
         with.max_bytes = size * 3;
         with.clock_ms = nullptr;
         const auto cache = open(with);
         threads(3, [&](int thread) {
           std::mt19937 random(static_cast<unsigned>(process * 10 + thread));
           for (int round = 0; round < 25; ++round) {
             const auto name = "p" + std::to_string(random() % 6);
             const auto lease = acquire(*cache, wish({name}));
             for (int look = 0; look < 3; ++look) {
               EXPECT_EQ(FakeInstaller::what_is(lease.content(), name), "version = '1.0'\n");
               EXPECT_EQ(FakeInstaller::what_is(lease.content(), "needed-by-all"), "version = '1.0'\n");
             }
             if (random() % 8 == 0) {
               EXPECT_TRUE(cache->prune());
             }
             if (random() % 8 == 0) expect_undamaged(*cache);
             if (random() % 8 == 0) {
               const auto entries = cache->entries();
               ASSERT_TRUE(entries);
               for (const auto& entry : *entries) EXPECT_TRUE(cache->remove(entry.row));
             }
           }
         });
       }))
    EXPECT_EQ(status, 0);
  const auto cache = open();
  expect_undamaged(*cache);
  EXPECT_TRUE(names_in(root_ / "staging").empty());
  EXPECT_EQ(cache->entries()->size(), names_in(root_ / "shared").size());
}

TEST_F(CacheMany, processes_that_meet_a_new_folder_agree_on_one_secret) {
  for (const int status : together(8, [&](int i) {
         const auto lease = acquire(*open(), wish({"p" + std::to_string(i)}));
         EXPECT_EQ(FakeInstaller::what_is(lease.content(), "needed-by-all"), "version = '1.0'\n");
       }))
    EXPECT_EQ(status, 0);
  EXPECT_EQ(open()->entries()->size(), 8u);
}

// Entries without files to speak of, put there by hand: installing ten thousand would take minutes.
void plant(const CacheRoot& root, FakeInstaller& installer, int count) {
  std::string manifest = manifest_text({{{TreeItem::Kind::directory, ".", 0555, 0, {}, {}}}, 4096});
  for (int i = 0; i < count; ++i) {
    EntryRecord record;
    record.lock = installer.resolve(kPython, wish({"p" + std::to_string(i)}).requirements, soon()).value();
    record.target = kPython;
    record.key = entry_key(kPython, record.lock);
    record.name = root.entry_name("", record.key);
    record.place = "shared";
    record.items = 1;
    record.bytes = 4096;
    record.created_ms = 1'700'000'000'000 - i;
    record.manifest = sha256(manifest);
    record.manifest_bytes = manifest.size();
    const auto folder = root.path() / "shared" / record.name;
    fs::create_directories(folder / "content");
    chmod((folder / "content").c_str(), 0555);
    const std::pair<const char*, std::string> files[] = {{"manifest", manifest},
                                                         {"record", record_text(record, root.secret())}};
    for (const auto& [name, text] : files) {
      std::ofstream(folder / name, std::ios::binary) << text;
      chmod((folder / name).c_str(), 0400);
    }
  }
}

TEST_F(CacheMany, a_hit_among_ten_thousand_entries_is_found_within_a_millisecond) {
  constexpr int kEntries = 10'000;
  // Sixty thousand small files: in memory where there is room, for they are not what is measured.
  struct InMemory {
    std::string path = "/dev/shm/hotcell-deps-XXXXXX";
    bool made = mkdtemp(path.data()) != nullptr;
    ~InMemory() {
      std::error_code ignored;
      if (made) fs::remove_all(path, ignored);
    }
  } memory;
  if (memory.made) root_ = fs::path(memory.path) / "deps";
  plant(CacheRoot::open(root_, soon(), nullptr).value(), installer_, kEntries);
  const auto before = std::chrono::steady_clock::now();
  const auto cache = open();
  const std::chrono::duration<double> rebuilt = std::chrono::steady_clock::now() - before;
  EXPECT_EQ(cache->metrics().bytes, 4096u * kEntries) << "the index was filled from the folders";
  // Wishes are remembered as they are resolved.
  std::vector<Wish> wishes;
  for (int i = 0; i < 2000; ++i) wishes.push_back(wish({"p" + std::to_string(i * 5)}));
  for (const auto& one : wishes) acquire(*cache, one);
  EXPECT_EQ(installer_.installs, 0);

  const auto measure = [&](const char* what) {
    std::vector<double> micros;
    for (const auto& one : wishes) {
      const auto from = std::chrono::steady_clock::now();
      const auto lease = cache->find(one, soon());
      micros.push_back(std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - from).count());
      ASSERT_TRUE(lease && *lease);
    }
    std::ranges::sort(micros);
    const double p50 = micros[micros.size() / 2], p99 = micros[micros.size() * 99 / 100];
    std::printf("%s: p50 %.0f us, p99 %.0f us, most %.0f us\n", what, p50, p99, micros.back());
    RecordProperty(what, std::to_string(p50));
    EXPECT_LT(p50, 1000) << what;
  };
  measure("hit");
  now_ms_ += 60'000;
  measure("hit, its use noted");
  std::printf("index rebuilt from %d entries: %.0f ms\n", kEntries, rebuilt.count() * 1000);
  EXPECT_TRUE(cache->find(wish({"unknown"}), soon()).value() == std::nullopt);
}

}  // namespace
}  // namespace hotcell::deps::testing
