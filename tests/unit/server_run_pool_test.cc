#include "server/run_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <mutex>

namespace hotcell::server {
namespace {

using std::chrono::milliseconds;

// What happened, in order; a test waits for it.
class Notes {
 public:
  void add(const std::string& note) {
    const std::lock_guard lock(mutex_);
    notes_.push_back(note);
    changed_.notify_all();
  }
  bool wait_for(const std::string& note) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(10),
                             [&] { return std::ranges::find(notes_, note) != notes_.end(); });
  }
  std::size_t count() {
    const std::lock_guard lock(mutex_);
    return notes_.size();
  }
  bool wait_for_count(std::size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(10), [&] { return notes_.size() >= count; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> notes_;
};

class Gate {
 public:
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  void wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return open_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
};

struct Step : Job {
  Step(std::string given_name, Notes& given_notes, Gate* given_gate = nullptr)
      : Job(std::make_shared<Tenant>("t", TenantLimits{})),
        name(std::move(given_name)),
        notes(given_notes),
        gate(given_gate) {}
  void run() override {
    notes.add(name + " runs");
    if (gate) gate->wait();
    if (name == "thrower") throw std::runtime_error("broken");
    notes.add(name + " ended");
  }
  void give_up(const protocol::Problem& why) override { notes.add(name + " " + why.code); }
  const std::string name;
  Notes& notes;
  Gate* gate;
};

AdmissionLimits limits(unsigned running) {
  AdmissionLimits out;
  out.max_running = out.eager = running;
  return out;
}

TEST(RunPool, jobs_run_side_by_side_up_to_the_limit_and_then_in_turn) {
  Notes notes;
  Gate gate;
  RunPool pool(limits(2), [](const std::string&) {});
  for (const auto* name : {"1", "2", "3"}) ASSERT_TRUE(pool.submit(std::make_shared<Step>(name, notes, &gate)));
  EXPECT_TRUE(notes.wait_for("1 runs"));
  EXPECT_TRUE(notes.wait_for("2 runs"));
  EXPECT_EQ(pool.counts().waiting, 1u);
  EXPECT_EQ(notes.count(), 2u);
  gate.open();
  EXPECT_TRUE(notes.wait_for("3 ended"));
}

TEST(RunPool, a_program_that_takes_long_holds_up_nobody) {
  Notes notes;
  Gate gate;
  auto some = limits(8);
  some.eager = 1;
  some.eager_time = milliseconds(20);
  RunPool pool(some, [](const std::string&) {});
  ASSERT_TRUE(pool.submit(std::make_shared<Step>("long", notes, &gate)));
  ASSERT_TRUE(notes.wait_for("long runs"));
  ASSERT_TRUE(pool.submit(std::make_shared<Step>("1", notes)));
  ASSERT_TRUE(pool.submit(std::make_shared<Step>("2", notes)));
  EXPECT_TRUE(notes.wait_for("1 ended"));  // by the keeper alone: nothing else happens
  EXPECT_TRUE(notes.wait_for("2 ended"));
  gate.open();
}

TEST(RunPool, a_deadline_is_kept_while_everything_is_busy) {
  Notes notes;
  Gate gate;
  RunPool pool(limits(1), [](const std::string&) {});
  ASSERT_TRUE(pool.submit(std::make_shared<Step>("busy", notes, &gate)));
  const auto late = std::make_shared<Step>("late", notes);
  late->deadline = Job::Clock::now() + milliseconds(30);
  ASSERT_TRUE(pool.submit(late));
  EXPECT_TRUE(notes.wait_for("late deadline_in_queue"));
  EXPECT_LT(Job::Clock::now() - late->deadline, milliseconds(2000));
  gate.open();
}

TEST(RunPool, a_job_that_throws_is_given_up_and_the_thread_goes_on) {
  Notes notes;
  RunPool pool(limits(1), [&](const std::string& what) { notes.add("broke: " + what); });
  ASSERT_TRUE(pool.submit(std::make_shared<Step>("thrower", notes)));
  EXPECT_TRUE(notes.wait_for("broke: broken"));
  EXPECT_TRUE(notes.wait_for("thrower internal"));
  ASSERT_TRUE(pool.submit(std::make_shared<Step>("next", notes)));
  EXPECT_TRUE(notes.wait_for("next ended"));
}

TEST(RunPool, draining_lets_nothing_new_in_and_finishes_what_is_there) {
  Notes notes;
  Gate gate;
  RunPool pool(limits(1), [](const std::string&) {});
  ASSERT_TRUE(pool.submit(std::make_shared<Step>("1", notes, &gate)));
  ASSERT_TRUE(pool.submit(std::make_shared<Step>("2", notes)));
  pool.drain();
  EXPECT_EQ(pool.submit(std::make_shared<Step>("3", notes)).error().problem.code, "draining");
  EXPECT_FALSE(pool.idle());
  gate.open();
  EXPECT_TRUE(notes.wait_for("2 ended"));
}

TEST(RunPool, giving_up_answers_everything_that_waits) {
  Notes notes;
  Gate gate;
  RunPool pool(limits(1), [](const std::string&) {});
  ASSERT_TRUE(pool.submit(std::make_shared<Step>("1", notes, &gate)));
  ASSERT_TRUE(notes.wait_for("1 runs"));
  ASSERT_TRUE(pool.submit(std::make_shared<Step>("2", notes)));
  pool.give_up_waiting();
  EXPECT_TRUE(notes.wait_for("2 draining"));
  gate.open();
  pool.close();
  EXPECT_TRUE(notes.wait_for("1 ended"));
}

TEST(RunPool, thousands_of_jobs_from_many_threads_are_each_run_once) {
  Notes notes;
  RunPool pool(limits(8), [](const std::string&) {});
  std::vector<std::thread> threads;
  std::atomic<unsigned> accepted{0};
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 500; ++i)
        if (pool.submit(std::make_shared<Step>("j", notes))) ++accepted;
    });
  for (auto& thread : threads) thread.join();
  EXPECT_TRUE(notes.wait_for_count(2ull * accepted));
  EXPECT_EQ(notes.count(), 2ull * accepted);
}

}  // namespace
}  // namespace hotcell::server
