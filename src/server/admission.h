// Who may wait, and whose turn it is: a queue for each tenant, served by weight.
//
// Every tenant has a pass, and the one with the smallest goes next; taking a job moves its pass on by 1/weight. So a
// tenant with a thousand jobs and one with a single job take turns, and nobody is forgotten. A tenant that comes back
// starts where the others are, and not with what it has saved up.
//
// How many run at once is bounded twice. `max_running` is what the machine can hold. Below it, only `eager` jobs that
// have just begun run side by side: small programs, which are most, then find warm caches and an idle worker instead
// of fighting over two cores, while one that sleeps or takes long stops counting after `eager_time` and holds up
// nobody.
//
// Plain data with the time given from outside: not thread-safe, RunPool guards it.
#pragma once
#include <deque>
#include <expected>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/job.h"

namespace hotcell::server {

struct AdmissionLimits {
  unsigned max_running = 64;
  unsigned max_queued = 1024;
  std::uint64_t memory_bytes = 0;  // of all running programs together; 0: no limit
  unsigned eager = 4;
  std::chrono::milliseconds eager_time{50};
};

// Why a job may not even wait.
struct Refusal {
  protocol::Problem problem;
  std::optional<unsigned> retry_after = std::nullopt;  // seconds
};

class Admission {
 public:
  using Clock = Job::Clock;

  explicit Admission(AdmissionLimits limits) : limits_(limits) {}
  void set_limits(AdmissionLimits limits) { limits_ = limits; }

  // The number of jobs that were waiting before it.
  std::expected<std::size_t, Refusal> enter(std::shared_ptr<Job> job, Clock::time_point now);
  // A series that has more to hand out: no limits, it has been let in already.
  void enter_again(std::shared_ptr<Job> series);

  struct Started;
  using Ticket = std::list<Started>::iterator;
  struct Started {
    std::shared_ptr<Job> job;
    Clock::time_point at;
    bool eager = true;
  };
  // The next one that may begin now, if any; it is counted until finished() gets its ticket back.
  std::optional<Ticket> take(Clock::time_point now);
  void finished(Ticket ticket, Clock::time_point now);
  bool has_room(Clock::time_point now);  // by numbers: whether a job that waits fits is take()'s to see
  // When take() may give a job without anything else happening: a running one is no longer new, or the rate of a tenant
  // allows one more.
  std::optional<Clock::time_point> worth_another_look(Clock::time_point now);

  bool withdraw(const Job& job);  // false: it does not wait (any more)
  std::vector<std::shared_ptr<Job>> expired(Clock::time_point now);
  std::vector<std::shared_ptr<Job>> clear();
  std::optional<Clock::time_point> next_deadline() const;

  std::size_t waiting() const { return waiting_; }
  std::size_t running() const { return running_.size(); }

 private:
  struct Lane {  // of one tenant
    std::shared_ptr<Tenant> tenant;
    std::deque<std::shared_ptr<Job>> jobs;
    double pass = 0;
    unsigned running = 0;
    std::uint64_t memory_bytes = 0;
    TokenBucket bucket{0, 0};
  };

  Lane& lane_of(const std::shared_ptr<Tenant>& tenant);
  void push(Lane& lane, std::shared_ptr<Job> job);
  bool may_begin(const Lane& lane, Clock::time_point now) const;
  void age(Clock::time_point now);
  void forget_idle_lanes();
  unsigned retry_after() const;

  AdmissionLimits limits_;
  std::map<std::string, Lane, std::less<>> lanes_;
  std::list<Started> running_;  // in the order in which they began
  std::size_t waiting_ = 0;
  unsigned eager_ = 0;
  std::uint64_t memory_bytes_ = 0;
  double pass_ = 0;               // of the job taken last
  double recent_seconds_ = 0.01;  // how long a run takes, lately
};

}  // namespace hotcell::server
