// Whose programs they are: the unit of fairness and of limits. A token is a tenant, and so is each user of the unix
// socket.
#pragma once
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "server/usage.h"

namespace hotcell::server {

struct TenantLimits {
  unsigned weight = 1;             // how often its turn comes, against others that wait
  unsigned max_running = 0;        // at once; 0: as many as there are
  unsigned max_queued = 0;         // beyond: tenant_limit; 0: as many as there are
  double runs_per_second = 0;      // 0: no limit
  double burst = 0;                // runs that may come at once; 0: one second's worth
  std::uint64_t memory_bytes = 0;  // of all its running programs together; 0: no limit
  double max_timeout_seconds = 86'400;
};

// Does not change: other limits are another tenant of the same name, with the same usage.
struct Tenant {
  Tenant(std::string given_name, TenantLimits given_limits, bool is_operator = false,
         std::shared_ptr<Usage> used = std::make_shared<Usage>())
      : name(std::move(given_name)), limits(given_limits), operates(is_operator), usage(std::move(used)) {}
  const std::string name;
  const TenantLimits limits;
  const bool operates;  // may look after the service, not only use it
  const std::shared_ptr<Usage> usage;
};

// So many a second, and a few at once.
class TokenBucket {
 public:
  using Clock = std::chrono::steady_clock;

  TokenBucket(double per_second, double burst)
      : per_second_(per_second), most_(burst > 0 ? burst : std::max(1.0, per_second)), left_(most_) {}

  // Zero when it was taken, else how many seconds to wait until something is there again. What costs more than there is
  // leaves a debt.
  double take(double cost, Clock::time_point now) {
    const double wait = wait_at(now);
    if (wait == 0) left_ -= cost;
    return wait;
  }
  // Takes it in any case, and says how long to wait before it may be used.
  double reserve(double cost, Clock::time_point now) {
    const double wait = wait_at(now);
    left_ -= cost;
    return wait;
  }

 private:
  double wait_at(Clock::time_point now) {
    if (per_second_ <= 0) return 0;
    const double passed = std::chrono::duration<double>(now - at_).count();
    if (at_ != Clock::time_point{}) left_ = std::min(most_, left_ + std::max(0.0, passed) * per_second_);
    at_ = now;
    return left_ < 1 ? (1 - left_) / per_second_ : 0;
  }

  double per_second_, most_, left_;
  Clock::time_point at_{};
};

}  // namespace hotcell::server
