// Kill -9 at every step that changes what is on the disk, one after the other. Whatever is left, the next process on
// the same folder serves what is right, and a sweep leaves nothing behind.
#include "deps_cache_helpers.h"

namespace hotcell::deps::testing {
namespace {

// Ends the process at the n-th step, without any clean-up.
class KillAt : public StepObserver {
 public:
  KillAt(int step, std::string* reached) : left_(step), reached_(reached) {}
  void reached(std::string_view step) override {
    if (reached_) *reached_ = step;
    if (--left_ == 0) kill(getpid(), SIGKILL);
  }

 private:
  int left_;
  std::string* reached_;
};

class CacheCrash : public CacheTest {
 protected:
  // Runs the scenario again and again, killed one step later each time, until it comes to its end; `check` looks at
  // what is left after each.
  void at_every_step(const std::function<void(StepObserver&)>& scenario, const std::function<void()>& check,
                     int at_least) {
    int steps = 0;
    for (int step = 1;; ++step) {
      SCOPED_TRACE("killed at step " + std::to_string(step));
      std::error_code ignored;
      fs::remove_all(root_, ignored);
      fs::remove(scratch_ / "tally", ignored);
      const int status = wait_for(child([&] {
        KillAt observer(step, nullptr);
        scenario(observer);
      }));
      ASSERT_TRUE(WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL : status == 0) << status;
      check();
      if (HasFatalFailure() || HasNonfatalFailure()) return;
      steps = step;
      if (!WIFSIGNALED(status)) break;
    }
    EXPECT_GE(steps, at_least) << "the steps are not announced any more";
    RecordProperty("steps", steps);
  }

  std::unique_ptr<DependencyCache> open_watched(StepObserver& observer, std::uint64_t max_bytes = 1 << 30) {
    auto with = options();
    with.observer = &observer;
    with.max_bytes = max_bytes;
    installer_.observer = &observer;
    return open(with);
  }

  void expect_no_orphans() {
    EXPECT_TRUE(names_in(root_ / "staging").empty());
    for (const auto& name : names_in(root_))
      EXPECT_TRUE(name == "format" || name == "secret" || name == "locks" || name == "staging" || name == "shared" ||
                  name == "scoped" || name.starts_with("index.db"))
          << name;
    EXPECT_EQ(names_in(root_ / "locks").size(), 4u);
    EXPECT_FALSE(fs::exists(root_ / "index.db.tmp"));
    EXPECT_FALSE(fs::exists(root_ / "secret.tmp"));
    EXPECT_FALSE(fs::exists(root_ / "format.tmp"));
  }

  void expect_right(const Lease& lease, std::initializer_list<const char*> names) {
    for (const char* name : names)
      EXPECT_EQ(FakeInstaller::what_is(lease.content(), name), "version = '1.0'\n") << name;
  }
};

TEST_F(CacheCrash, while_installing_leaves_nothing_half_made) {
  at_every_step(
      [&](StepObserver& observer) {
        const auto cache = open_watched(observer);
        acquire(*cache, wish({"numpy"}));
        acquire(*cache, wish({"pandas"}, "tenant"));
      },
      [&] {
        installer_.observer = nullptr;
        const auto cache = open();
        expect_no_orphans();
        for (const auto& [wanted, name] :
             {std::pair{wish({"numpy"}), "numpy"}, {wish({"pandas"}, "tenant"), "pandas"}}) {
          auto there = cache->find(wanted, soon());
          ASSERT_TRUE(there) << there.error().message;
          if (*there) expect_right(**there, {name, "needed-by-all"});
        }
        expect_undamaged(*cache);
        expect_right(acquire(*cache, wish({"numpy"})), {"numpy", "needed-by-all"});
        expect_right(acquire(*cache, wish({"pandas"}, "tenant")), {"pandas"});
        EXPECT_LE(installs(), 3u) << "at most the one that was interrupted is made again";
        EXPECT_EQ(cache->entries()->size(), 2u);
        expect_undamaged(*cache);
      },
      30);
}

TEST_F(CacheCrash, while_evicting_and_removing_leaves_nothing_half_there) {
  std::uint64_t size = 0;
  {
    auto elsewhere = options();
    elsewhere.folder = scratch_ / "probe";
    size = acquire(*open(elsewhere), wish({"numpy"})).record().bytes;
  }
  at_every_step(
      [&](StepObserver& observer) {
        const auto cache = open_watched(observer, size * 2);
        acquire(*cache, wish({"numpy"}));
        now_ms_ += 2000;
        acquire(*cache, wish({"pandas"}));
        now_ms_ += 2000;
        acquire(*cache, wish({"scipy"}));  // evicts numpy
        if (!cache->remove(cache->entries()->at(0).row).value()) std::abort();
        now_ms_ += 30 * 3600'000;
        if (!cache->prune()) std::abort();
      },
      [&] {
        installer_.observer = nullptr;
        const auto cache = open();
        expect_no_orphans();
        expect_undamaged(*cache);
        for (const char* name : {"numpy", "pandas", "scipy"}) {
          auto there = cache->find(wish({name}), soon());
          ASSERT_TRUE(there);
          if (*there) expect_right(**there, {name});
        }
        const auto report = cache->prune();
        ASSERT_TRUE(report) << report.error().message;
        EXPECT_EQ(cache->entries()->size(), names_in(root_ / "shared").size());
        expect_no_orphans();
      },
      40);
}

TEST_F(CacheCrash, while_a_failure_is_noted_changes_nothing_but_that) {
  at_every_step(
      [&](StepObserver& observer) {
        const auto cache = open_watched(observer);
        installer_.on_install = [](Deadline) { return Error{"dependency_failed", "no", ""}; };
        if (cache->acquire(wish({"numpy"}), installer_, soon())) std::abort();
      },
      [&] {
        installer_.observer = nullptr;
        installer_.on_install = nullptr;
        const auto cache = open();
        expect_no_orphans();
        EXPECT_TRUE(cache->entries()->empty());
        now_ms_ += 5000;
        expect_right(acquire(*cache, wish({"numpy"})), {"numpy"});
      },
      10);
}

TEST_F(CacheCrash, while_repairing_never_serves_what_was_damaged) {
  at_every_step(
      [&](StepObserver& observer) {
        std::string content;
        {
          const auto cache = open();
          content = acquire(*cache, wish({"numpy"})).content();
        }
        const auto file = fs::path(content) / "numpy" / "__init__.py";
        chmod(file.c_str(), 0644);
        std::ofstream(file, std::ios::app) << "import os\n";
        const auto cache = open_watched(observer);
        if (!cache->verify(true, &installer_, soon())) std::abort();
      },
      [&] {
        installer_.observer = nullptr;
        {
          const auto cache = open();
          expect_no_orphans();
          ASSERT_TRUE(cache->verify(true, nullptr, soon()));
          expect_undamaged(*cache);
          expect_right(acquire(*cache, wish({"numpy"})), {"numpy"});
          ASSERT_TRUE(cache->prune());
          EXPECT_EQ(names_in(root_ / "shared").size(), 1u);
          expect_no_orphans();
        }
      },
      12);
}

TEST_F(CacheCrash, while_an_old_format_is_removed_goes_on_with_it) {
  at_every_step(
      [&](StepObserver& observer) {
        acquire(*open(), wish({"numpy"}));
        std::ofstream(root_ / "format", std::ios::trunc) << "hotcell-deps 0\n";
        open_watched(observer);
      },
      [&] {
        installer_.observer = nullptr;
        const auto cache = open();
        expect_no_orphans();
        expect_right(acquire(*cache, wish({"numpy"})), {"numpy"});
        expect_undamaged(*cache);
      },
      8);
}

}  // namespace
}  // namespace hotcell::deps::testing
