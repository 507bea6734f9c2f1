// Clocks, real and virtual. In virtual time only two things move the clocks: reading one (by a fixed step, so that a
// program that waits for time to pass doesn't wait for ever) and sleeping.
#include <algorithm>
#include <ctime>

#include "wasi/p1/host.h"

namespace hotcell::wasi {
namespace {

std::uint64_t host_clock(clockid_t id) {
  timespec time{};
  clock_gettime(id, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(time.tv_nsec);
}

std::uint64_t add(std::uint64_t a, std::uint64_t b) { return a > UINT64_MAX - b ? UINT64_MAX : a + b; }

}  // namespace

void Host::start_clocks() {
  virtual_ns_ = slept_ns_ = 0;
  host_monotonic_ns_ = virtual_time() ? 0 : host_clock(CLOCK_MONOTONIC);
  host_cpu_ns_.reset();
}

// The kernel takes a microsecond to tell a thread's processor time, which is too much for every start. So what had
// passed when the guest first asks is taken for processor time, but for what it slept; from then on the kernel counts.
Host::U64 Host::processor_time() {
  const U64 now = host_clock(CLOCK_THREAD_CPUTIME_ID);
  if (!host_cpu_ns_) host_cpu_ns_ = now - (host_clock(CLOCK_MONOTONIC) - host_monotonic_ns_ - slept_ns_);
  return now - *host_cpu_ns_;  // modulo 2^64, should more have passed than the thread has run
}

Host::U64 Host::peek_clock(abi::Clock clock) const {
  if (virtual_time()) {
    switch (clock) {
      case abi::Clock::kRealtime:
        return add(config_.realtime_start_ns, virtual_ns_);
      case abi::Clock::kMonotonic:
        return add(config_.monotonic_start_ns, virtual_ns_);
      default:
        return virtual_ns_ - slept_ns_;
    }
  }
  switch (clock) {
    case abi::Clock::kRealtime:
      return host_clock(CLOCK_REALTIME);
    // Counted from the start of the run: the machine's uptime is nobody's business.
    case abi::Clock::kMonotonic:
      return add(config_.monotonic_start_ns, host_clock(CLOCK_MONOTONIC) - host_monotonic_ns_);
    default:
      return 0;
  }
}

Result<Host::U64> Host::read_clock(U32 clock) {
  if (clock > static_cast<U32>(abi::Clock::kThreadCpu)) return fail_with(Errno::kInval);
  if (!config_.allow_clock) return fail_with(Errno::kPerm);
  const auto id = static_cast<abi::Clock>(clock);
  if (virtual_time()) {
    virtual_ns_ = add(virtual_ns_, config_.clock_step_ns);
  } else if (id == abi::Clock::kProcessCpu || id == abi::Clock::kThreadCpu) {
    return processor_time();
  }
  return peek_clock(id);
}

Errno Host::clock_res_get(Memory memory, U32 clock, U32 out) {
  if (clock > static_cast<U32>(abi::Clock::kThreadCpu)) return Errno::kInval;
  if (!config_.allow_clock) return Errno::kPerm;
  return memory.store(out, U64{1}) ? Errno::kSuccess : Errno::kFault;
}

Errno Host::clock_time_get(Memory memory, U32 clock, U64, U32 out) {
  if (!memory.has(out, sizeof(U64))) return Errno::kFault;
  const auto time = read_clock(clock);
  if (!time) return time.error();
  memory.store(out, *time);
  return Errno::kSuccess;
}

std::uint64_t Host::monotonic_ns() const { return peek_clock(abi::Clock::kMonotonic); }

std::uint64_t Host::file_time_ns() {
  return config_.allow_clock ? peek_clock(abi::Clock::kRealtime) : config_.realtime_start_ns;
}

bool Host::sleep_until_monotonic(U64 guest_ns) {
  const U64 now = peek_clock(abi::Clock::kMonotonic);
  if (guest_ns <= now) return true;
  if (virtual_time()) {
    U64 wait = guest_ns - now;
    const U64 left = config_.virtual_time_limit_ns - std::min(virtual_ns_, config_.virtual_time_limit_ns);
    const bool too_long = wait > left;
    wait = std::min(wait, left);
    virtual_ns_ = add(virtual_ns_, wait);
    slept_ns_ = add(slept_ns_, wait);
    if (too_long) stop_ = Stop::kInterrupted;
    return !too_long;
  }
  const U64 begun = host_clock(CLOCK_MONOTONIC);
  const U64 wake = guest_ns == UINT64_MAX ? UINT64_MAX : add(begun, guest_ns - now);
  const auto result = config_.sleeper->sleep_until(wake);
  slept_ns_ += host_clock(CLOCK_MONOTONIC) - begun;
  if (result == Sleeper::Result::kElapsed) return true;
  stop_ = Stop::kInterrupted;
  return false;
}

}  // namespace hotcell::wasi
