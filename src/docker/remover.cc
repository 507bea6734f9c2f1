#include "docker/remover.h"

#include <algorithm>

namespace hotcell::docker {
namespace {

constexpr std::chrono::seconds kRemoveTime{30};
constexpr unsigned kMostThreads = 8;
// At the end, a daemon that has failed so often is left alone.
constexpr unsigned kLastTries = 4;

// 0.1 s, 0.2 s, … 25.6 s.
std::chrono::milliseconds pause_after(unsigned tries) {
  return std::chrono::milliseconds(100) * (1 << std::min(tries, 8u));
}

}  // namespace

Remover::Remover(Remove remove, unsigned threads) : remove_(std::move(remove)), usual_threads_(threads) {}

void Remover::close() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wanted_.notify_all();
  for (auto& thread : threads_)
    if (thread.joinable()) thread.join();
}

void Remover::expect(const std::string& name, std::shared_ptr<const void> held) {
  const std::lock_guard lock(mutex_);
  known_.insert_or_assign(name, std::move(held));
}

void Remover::forget(const std::string& name) {
  const std::lock_guard lock(mutex_);
  known_.erase(name);
}

bool Remover::knows(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  return known_.contains(name);
}

void Remover::remove(const std::string& name, std::chrono::milliseconds patience) {
  {
    const std::lock_guard lock(mutex_);
    known_.try_emplace(name);
    tasks_.push_back({name, draining_ ? Deadline::Clock::time_point{} : Deadline::Clock::now() + patience});
    start_threads(std::min<unsigned>(usual_threads_, static_cast<unsigned>(tasks_.size() + in_work_)));
  }
  wanted_.notify_one();
}

void Remover::start_threads(unsigned wanted) {
  while (!stopping_ && threads_.size() < wanted) threads_.emplace_back(&Remover::work, this);
}

bool Remover::drain(Deadline deadline) {
  std::unique_lock lock(mutex_);
  draining_ = true;
  for (auto& task : tasks_) task.not_before = {};
  start_threads(std::min<unsigned>(kMostThreads, static_cast<unsigned>(tasks_.size() + in_work_)));
  wanted_.notify_all();
  const bool done = done_.wait_until(lock, deadline.at(), [&] { return tasks_.empty() && in_work_ == 0; });
  return done && known_.empty();
}

Remover::Counts Remover::counts() const {
  const std::lock_guard lock(mutex_);
  return {removed_, failures_, tasks_.size() + in_work_};
}

void Remover::work() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const auto now = Deadline::Clock::now();
    const auto due = std::min_element(tasks_.begin(), tasks_.end(),
                                      [](const Task& a, const Task& b) { return a.not_before < b.not_before; });
    if (due == tasks_.end()) {
      wanted_.wait(lock);
      continue;
    }
    if (const auto then = due->not_before; then > now) {
      wanted_.wait_until(lock, then);  // the task may be gone meanwhile
      continue;
    }
    Task task = std::move(*due);
    tasks_.erase(due);
    ++in_work_;
    lock.unlock();
    const auto removed = remove_(task.name, Deadline::after(kRemoveTime));
    lock.lock();
    --in_work_;
    if (removed) {
      ++removed_;
      known_.erase(task.name);
    } else {
      ++failures_;
      task.not_before = Deadline::Clock::now() + pause_after(task.tries++);
      if (!draining_ || task.tries < kLastTries) tasks_.push_back(std::move(task));
      wanted_.notify_one();
    }
    done_.notify_all();
  }
}

}  // namespace hotcell::docker
