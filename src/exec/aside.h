// Work that goes on beside the caller's, and is waited for later.
//
// A few threads, started when there is work and none of them is free. Work that no thread has begun when its result is
// wanted is done by the one who wants it: so nobody ever waits behind somebody else's long program.
#pragma once
#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace hotcell::exec {

// Thread-safe. Outlives its tasks.
class Aside {
  struct Job {
    std::function<void()> work;
    std::atomic<bool> begun = false;
    std::mutex mutex;
    std::condition_variable changed;
    std::atomic<bool> done = false;

    void run();
  };

 public:
  explicit Aside(unsigned most_threads) : most_threads_(most_threads) {}
  ~Aside();
  Aside(const Aside&) = delete;
  Aside& operator=(const Aside&) = delete;

  // Destroying it waits too: what the work borrows may go then.
  class Task {
   public:
    Task() = default;
    Task(Task&&) noexcept = default;
    Task& operator=(Task&& other) noexcept {
      wait();
      job_ = std::move(other.job_);
      return *this;
    }
    ~Task() { wait(); }
    // Returns when the work is done. Its results are then this thread's to read.
    void wait();

   private:
    friend class Aside;
    explicit Task(std::shared_ptr<Job> job) : job_(std::move(job)) {}
    std::shared_ptr<Job> job_;
  };

  // `work` must not throw.
  [[nodiscard]] Task start(std::function<void()> work);

 private:
  void serve();

  const unsigned most_threads_;
  std::mutex mutex_;
  std::condition_variable more_;
  std::deque<std::shared_ptr<Job>> waiting_;
  unsigned idle_ = 0;
  bool over_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace hotcell::exec
