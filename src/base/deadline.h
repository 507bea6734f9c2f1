// A point in time by which something must be over. Every wait in the project takes one.
#pragma once
#include <algorithm>
#include <chrono>

#include "base/stop_token.h"

namespace hotcell {

class Deadline {
 public:
  using Clock = std::chrono::steady_clock;

  static Deadline after(std::chrono::nanoseconds wait) {
    // Saturates instead of overflowing, so "no limit" may be asked for as nanoseconds::max().
    const auto now = Clock::now();
    return Deadline(wait > Clock::time_point::max() - now ? Clock::time_point::max() : now + wait);
  }
  static Deadline after_seconds(double seconds) {
    constexpr double kForever = 100.0 * 365 * 86400;
    return after(std::chrono::nanoseconds(static_cast<long long>(std::clamp(seconds, 0.0, kForever) * 1e9)));
  }

  // It has also passed as soon as somebody says stop. Who waits for long looks now and then, or watches stop()->fd().
  // The token outlives what is done by then; null: nobody can say it.
  Deadline or_stop(const StopToken* stop) const { return Deadline(at_, stop); }
  const StopToken* stop() const { return stop_; }

  Clock::time_point at() const { return at_; }
  bool passed() const { return Clock::now() >= at_ || stopped(); }
  std::chrono::nanoseconds left() const {
    return stopped() ? std::chrono::nanoseconds(0) : std::max(std::chrono::nanoseconds(0), at_ - Clock::now());
  }
  // For poll(2): rounded up, so that a wait never ends early; capped, so that it fits an int.
  int poll_ms() const {
    const auto ms = std::chrono::ceil<std::chrono::milliseconds>(left()).count();
    return static_cast<int>(std::min<long long>(ms, 1'000'000'000));
  }
  Deadline sooner(Deadline other) const { return Deadline(std::min(at_, other.at_), stop_ ? stop_ : other.stop_); }

 private:
  explicit Deadline(Clock::time_point at, const StopToken* stop = nullptr) : at_(at), stop_(stop) {}
  bool stopped() const { return stop_ && stop_->stopped(); }
  Clock::time_point at_;
  const StopToken* stop_;
};

}  // namespace hotcell
