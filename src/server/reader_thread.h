// Reads large documents beside the loop: a body of many megabytes takes longer to parse than everybody else should
// wait. One thread: what it works on is bounded by what bodies may take together.
#pragma once
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace hotcell::server {

class ReaderThread {
 public:
  ReaderThread() : thread_(&ReaderThread::work, this) {}
  ~ReaderThread() { close(); }

  // `work` must not throw.
  void post(std::function<void()> work) {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(work));
    more_.notify_one();
  }
  void close() {  // what waits is dropped
    {
      const std::lock_guard lock(mutex_);
      over_ = true;
      more_.notify_one();
    }
    if (thread_.joinable()) thread_.join();
    waiting_.clear();
  }

 private:
  void work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      more_.wait(lock, [&] { return over_ || !waiting_.empty(); });
      if (over_) return;
      const auto next = std::move(waiting_.front());
      waiting_.pop_front();
      lock.unlock();
      next();
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable more_;
  std::deque<std::function<void()>> waiting_;
  bool over_ = false;
  std::thread thread_;
};

}  // namespace hotcell::server
