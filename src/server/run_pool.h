// The threads that programs are waited for on, behind the admission queue.
//
// A thread is started when a job may begin and none is idle. The one that was busy last gets the next job: its stack
// and its worker are still in the caches. One more thread, the keeper, looks after what happens because time passes:
// jobs whose deadline comes while they wait.
#pragma once
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "server/admission.h"

namespace hotcell::server {

// Thread-safe.
class RunPool {
 public:
  // `broke` is told when a job throws.
  RunPool(AdmissionLimits limits, std::function<void(const std::string&)> broke);
  ~RunPool();
  RunPool(const RunPool&) = delete;
  RunPool& operator=(const RunPool&) = delete;

  // The number of jobs that waited before it.
  std::expected<std::size_t, Refusal> submit(std::shared_ptr<Job> job);
  void submit_again(std::shared_ptr<Job> series);
  // True: it was waiting, and will neither run nor be given up now.
  bool withdraw(const Job& job);

  // What runs and waits already stays.
  void set_limits(AdmissionLimits limits);

  // From now on nothing new is let in; what waits still gets its turn.
  void drain();
  // Gives up what waits, and from now on every series that comes back.
  void give_up_waiting();
  // Also waits until everything that runs has ended, and for no longer than it takes.
  void close();
  bool idle() const;  // nothing runs, nothing waits

  struct Counts {
    std::size_t waiting = 0, running = 0, threads = 0;
  };
  Counts counts() const;

 private:
  struct Seat {  // of an idle thread
    std::condition_variable called;
    bool taken = false;
  };

  void work();
  void keep();
  void run(Job& job);
  void keep_in_mind(Job::Clock::time_point when);
  void look_again_when_due(Job::Clock::time_point now);
  void call_somebody(Job::Clock::time_point now);

  mutable std::mutex mutex_;
  Admission admission_;
  AdmissionLimits limits_;
  const std::function<void(const std::string&)> broke_;
  std::vector<Seat*> idle_;  // the one that was busy last is at the end
  std::vector<std::thread> threads_;
  bool draining_ = false, giving_up_ = false, closing_ = false;

  std::condition_variable keeper_called_;
  Job::Clock::time_point keeper_wakes_ = Job::Clock::time_point::max();
  std::thread keeper_;
};

}  // namespace hotcell::server
