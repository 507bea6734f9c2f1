#include "server/run_pool.h"

#include <pthread.h>

#include <exception>
#include <optional>
#include <system_error>

namespace hotcell::server {

namespace {

using Clock = Job::Clock;

protocol::Problem late() {
  return protocol::make_problem("deadline_in_queue", "the request's deadline passed while it waited",
                                "try again later, or with a later deadline");
}

protocol::Problem draining() {
  return protocol::make_problem("draining", "hotcell is shutting down", "try again in a moment");
}

}  // namespace

RunPool::RunPool(AdmissionLimits limits, std::function<void(const std::string&)> broke)
    : admission_(limits), limits_(limits), broke_(std::move(broke)), keeper_(&RunPool::keep, this) {}

RunPool::~RunPool() { close(); }

std::expected<std::size_t, Refusal> RunPool::submit(std::shared_ptr<Job> job) {
  const std::lock_guard lock(mutex_);
  if (draining_) return std::unexpected(Refusal{draining(), 5});
  const auto now = Clock::now();
  const auto deadline = job->deadline;
  auto entered = admission_.enter(std::move(job), now);
  if (!entered) return entered;
  keep_in_mind(deadline);
  call_somebody(now);
  return entered;
}

void RunPool::set_limits(AdmissionLimits limits) {
  const std::lock_guard lock(mutex_);
  limits_ = limits;
  admission_.set_limits(limits);
  call_somebody(Clock::now());
}

void RunPool::submit_again(std::shared_ptr<Job> series) {
  {
    const std::lock_guard lock(mutex_);
    if (!giving_up_) {
      admission_.enter_again(std::move(series));
      call_somebody(Clock::now());
      return;
    }
  }
  series->give_up(draining());
}

// The keeper is to look then, if not sooner.
void RunPool::keep_in_mind(Clock::time_point when) {
  if (when >= keeper_wakes_) return;
  keeper_wakes_ = when;
  keeper_called_.notify_one();
}

// Where only time has to pass before something that waits may begin.
void RunPool::look_again_when_due(Clock::time_point now) {
  if (const auto look = admission_.worth_another_look(now)) keep_in_mind(*look);
}

// For what waits and may begin: calls an idle thread, or starts one.
void RunPool::call_somebody(Clock::time_point now) {
  if (admission_.waiting() == 0) return;
  if (!admission_.has_room(now)) {
    look_again_when_due(now);
  } else if (!idle_.empty()) {
    auto* seat = idle_.back();
    idle_.pop_back();
    seat->taken = true;
    seat->called.notify_one();  // still locked: the seat is on its thread's stack, and may be gone right after
  } else if (threads_.size() < limits_.max_running) {
    try {
      threads_.emplace_back(&RunPool::work, this);
    } catch (const std::system_error& error) {  // the others will come to it
      broke_(error.what());
    }
  }
}

void RunPool::work() {
  pthread_setname_np(pthread_self(), "hotcell-run");
  std::unique_lock lock(mutex_);
  for (;;) {
    const auto now = Clock::now();
    if (auto ticket = admission_.take(now)) {
      call_somebody(now);  // there may be room for more than this one
      const auto job = (*ticket)->job;
      lock.unlock();
      run(*job);
      lock.lock();
      admission_.finished(*ticket, Clock::now());
      continue;
    }
    if (closing_) return;
    look_again_when_due(now);
    Seat seat;
    idle_.push_back(&seat);
    seat.called.wait(lock, [&] { return seat.taken || closing_; });
    if (!seat.taken) std::erase(idle_, &seat);
  }
}

void RunPool::run(Job& job) {
  std::string broken;
  try {
    job.run();
  } catch (const std::exception& error) {
    broken = error.what();
  } catch (...) {
    broken = "an unknown exception";
  }
  if (broken.empty()) return;
  broke_(broken);
  job.give_up(protocol::make_problem("internal", "hotcell failed to run this program"));
}

void RunPool::keep() {
  pthread_setname_np(pthread_self(), "hotcell-keeper");
  std::unique_lock lock(mutex_);
  while (!closing_) {
    if (keeper_wakes_ == Clock::time_point::max())
      keeper_called_.wait(lock);
    else
      keeper_called_.wait_until(lock, keeper_wakes_);
    const auto now = Clock::now();
    if (closing_ || now < keeper_wakes_) continue;
    const auto expired = admission_.expired(now);
    keeper_wakes_ = admission_.next_deadline().value_or(Clock::time_point::max());
    call_somebody(now);
    if (expired.empty()) continue;
    lock.unlock();
    for (const auto& job : expired) job->give_up(late());
    lock.lock();
  }
}

bool RunPool::withdraw(const Job& job) {
  const std::lock_guard lock(mutex_);
  return admission_.withdraw(job);
}

void RunPool::drain() {
  const std::lock_guard lock(mutex_);
  draining_ = true;
}

void RunPool::give_up_waiting() {
  std::unique_lock lock(mutex_);
  draining_ = giving_up_ = true;
  const auto waiting = admission_.clear();
  lock.unlock();
  for (const auto& job : waiting) job->give_up(draining());
}

void RunPool::close() {
  give_up_waiting();
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
    for (auto* seat : idle_) seat->called.notify_one();
    keeper_called_.notify_one();
  }
  if (keeper_.joinable()) keeper_.join();
  for (auto& thread : threads_)
    if (thread.joinable()) thread.join();
}

bool RunPool::idle() const {
  const std::lock_guard lock(mutex_);
  return admission_.waiting() == 0 && admission_.running() == 0;
}

RunPool::Counts RunPool::counts() const {
  const std::lock_guard lock(mutex_);
  return {admission_.waiting(), admission_.running(), threads_.size()};
}

}  // namespace hotcell::server
