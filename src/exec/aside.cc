#include "exec/aside.h"

#include <system_error>
#include <utility>

#include "base/deadline.h"

namespace hotcell::exec {

void Aside::Job::run() {
  work();
  const std::lock_guard lock(mutex);
  done = true;
  changed.notify_all();
}

void Aside::Task::wait() {
  const auto job = std::exchange(job_, nullptr);
  if (!job) return;
  if (!job->begun.exchange(true)) return job->work();
  // Most of it has been done meanwhile, and to be woken takes longer than what is left.
  const auto enough = Deadline::after(std::chrono::microseconds(50));
  while (!job->done && !enough.passed()) continue;
  std::unique_lock lock(job->mutex);
  job->changed.wait(lock, [&] { return job->done.load(); });
}

Aside::Task Aside::start(std::function<void()> work) {
  auto job = std::make_shared<Job>();
  job->work = std::move(work);
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(job);
    try {
      if (idle_ < waiting_.size() && threads_.size() < most_threads_) threads_.emplace_back([this] { serve(); });
    } catch (const std::system_error&) {
      // No more threads here: who waits for the work does it.
    }
  }
  more_.notify_one();
  return Task(std::move(job));
}

void Aside::serve() {
  std::unique_lock lock(mutex_);
  for (;;) {
    ++idle_;
    more_.wait(lock, [&] { return over_ || !waiting_.empty(); });
    --idle_;
    if (waiting_.empty()) return;  // over
    const auto job = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    if (!job->begun.exchange(true)) job->run();
    lock.lock();
  }
}

Aside::~Aside() {
  {
    const std::lock_guard lock(mutex_);
    over_ = true;
  }
  more_.notify_all();
  for (auto& thread : threads_) thread.join();
}

}  // namespace hotcell::exec
