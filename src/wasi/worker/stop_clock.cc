#include "wasi/worker/stop_clock.h"

#include <poll.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <utility>

namespace hotcell::wasi {
namespace {

// What the signal handlers touch. The only globals of the project; a handler has no other way to find its engine.
std::atomic<const wasm_engine_t*> g_engine{nullptr};
std::atomic<int> g_reason{0};
std::atomic<int> g_strikes{0};
static_assert(std::atomic<int>::is_always_lock_free);

constexpr int kWallSignal = SIGALRM, kCpuSignal = SIGVTALRM, kCancelSignal = SIGUSR1;

void on_signal(int signal) {
  const auto reason = signal == kWallSignal  ? StopClock::Reason::deadline
                      : signal == kCpuSignal ? StopClock::Reason::cpu
                                             : StopClock::Reason::cancelled;
  int none = 0;
  g_reason.compare_exchange_strong(none, static_cast<int>(reason));
  // A cancelled run gets no time to tidy up: nobody waits for what it would print.
  g_strikes.fetch_add(reason == StopClock::Reason::cancelled ? 2 : 1);
  if (const auto* engine = g_engine.load()) wasmtime_engine_increment_epoch(engine);
}

timespec to_timespec(std::chrono::nanoseconds time) {
  return {time.count() / 1'000'000'000, time.count() % 1'000'000'000};
}

void set(timer_t timer, std::chrono::nanoseconds after) {
  itimerspec spec{};
  spec.it_value = to_timespec(after);
  // Again and again: a first strike that comes before the guest has begun finds nobody who looks at the epoch.
  if (after.count() > 0) spec.it_interval = to_timespec(std::chrono::milliseconds(200));
  timer_settime(timer, 0, &spec, nullptr);
}

// Our signals stay blocked between looking at the clock and going to sleep, and come in only while asleep: one that
// came in between would otherwise be slept through.
class BlockedSignals {
 public:
  BlockedSignals() {
    sigset_t ours;
    sigemptyset(&ours);
    for (const int signal : {kWallSignal, kCpuSignal, kCancelSignal}) sigaddset(&ours, signal);
    sigprocmask(SIG_BLOCK, &ours, &before_);
  }
  ~BlockedSignals() { sigprocmask(SIG_SETMASK, &before_, nullptr); }
  BlockedSignals(const BlockedSignals&) = delete;
  BlockedSignals& operator=(const BlockedSignals&) = delete;
  const sigset_t& before() const { return before_; }

 private:
  sigset_t before_;
};

}  // namespace

Expected<StopClock> StopClock::install(const Engine& engine) {
  g_engine.store(engine.get());
  struct sigaction action{};
  action.sa_handler = on_signal;
  sigemptyset(&action.sa_mask);
  for (const int signal : {kWallSignal, kCpuSignal, kCancelSignal})
    if (sigaction(signal, &action, nullptr)) return fail_errno("cannot install a signal handler");
  StopClock out;
  sigevent event{};
  event.sigev_notify = SIGEV_SIGNAL;
  event.sigev_signo = kWallSignal;
  if (timer_create(CLOCK_MONOTONIC, &event, &out.wall_)) return fail_errno("cannot make a timer");
  event.sigev_signo = kCpuSignal;
  if (timer_create(CLOCK_PROCESS_CPUTIME_ID, &event, &out.cpu_)) {
    timer_delete(out.wall_);
    return fail_errno("cannot make a CPU timer");
  }
  out.owned_ = true;
  return out;
}

StopClock::StopClock(StopClock&& other) noexcept
    : wall_(other.wall_), cpu_(other.cpu_), owned_(std::exchange(other.owned_, false)), cpu_armed_(other.cpu_armed_) {}

StopClock::~StopClock() {
  if (!owned_) return;
  timer_delete(wall_);
  timer_delete(cpu_);
}

void StopClock::arm(std::chrono::nanoseconds wall, std::chrono::nanoseconds cpu) {
  g_reason.store(0);
  g_strikes.store(0);
  set(wall_, wall);
  if (cpu.count() > 0) {
    set(cpu_, cpu);
    cpu_armed_ = true;
  }
}

void StopClock::extend(std::chrono::nanoseconds grace) { set(wall_, grace); }

void StopClock::disarm() {
  set(wall_, std::chrono::nanoseconds(0));
  if (std::exchange(cpu_armed_, false)) set(cpu_, std::chrono::nanoseconds(0));
}

StopClock::Reason StopClock::reason() const { return static_cast<Reason>(g_reason.load()); }
int StopClock::strikes() const { return g_strikes.load(); }

bool StopClock::wait_readable(int fd) {
  const BlockedSignals blocked;
  const int seen = strikes();
  while (strikes() == seen) {
    pollfd wait{fd, POLLIN, 0};
    if (ppoll(&wait, 1, nullptr, &blocked.before()) > 0) return true;
  }
  return false;
}

bool StopClock::sleep_until(std::uint64_t monotonic_ns) {
  const BlockedSignals blocked;
  const int seen = strikes();
  while (strikes() == seen) {
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    const auto now_ns =
        static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000u + static_cast<std::uint64_t>(now.tv_nsec);
    if (now_ns >= monotonic_ns) return true;
    // At most an hour at a time: the deadline's signal ends it long before.
    const auto left = std::min<std::uint64_t>(monotonic_ns - now_ns, 3600ull * 1'000'000'000u);
    const timespec wait = to_timespec(std::chrono::nanoseconds(left));
    ppoll(nullptr, 0, &wait, &blocked.before());
  }
  return false;
}

}  // namespace hotcell::wasi
