// Ends a run that has gone on for too long.
//
// A worker has one thread, and that thread is inside guest code. So the clock is a POSIX timer whose signal handler
// notes the reason and bumps Wasmtime's epoch: compiled code notices at the next loop edge or function entry and calls
// back into us. No ticking thread wakes up an idle machine, and arming costs one system call. Sleeping host calls are
// ended by the same signal.
#pragma once
#include <time.h>

#include <chrono>
#include <cstdint>

#include "base/error.h"
#include "wasi/worker/runtime.h"

namespace hotcell::wasi {

class StopClock {
 public:
  enum class Reason : int { none, deadline, cpu, cancelled };

  // One for each process: signal handlers leave no other choice. The engine must outlive it.
  static Expected<StopClock> install(const Engine& engine);
  StopClock(StopClock&& other) noexcept;
  StopClock& operator=(StopClock&&) = delete;
  ~StopClock();

  // Zero means no limit. Clears the reason.
  void arm(std::chrono::nanoseconds wall, std::chrono::nanoseconds cpu);
  // Gives a program that was asked to stop a little longer. The first reason stays.
  void extend(std::chrono::nanoseconds grace);
  void disarm();

  Reason reason() const;
  // How often the clock has struck since arm(): 1 asks for a soft stop, 2 and more for a hard one.
  int strikes() const;

  // Waits until the descriptor is readable; false when the clock struck first.
  bool wait_readable(int fd);

  // Sleeps until the monotonic time is reached or a signal of ours arrives; true when the time was reached.
  bool sleep_until(std::uint64_t monotonic_ns);

 private:
  StopClock() = default;
  timer_t wall_{}, cpu_{};
  bool owned_ = false;
  bool cpu_armed_ = false;
};

}  // namespace hotcell::wasi
