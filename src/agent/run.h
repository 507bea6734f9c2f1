// One order, from its first file to its last: what comes in, the program, what goes out.
//
// A run is a sequence of phases. Each is left by one event, and none waits for the host: a host that reads slowly holds
// up what is still to be sent, and nothing else.
#pragma once
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/files_in.h"
#include "agent/harvest.h"
#include "agent/input.h"
#include "agent/kernel.h"
#include "agent/link.h"
#include "agent/output.h"
#include "agent/processes.h"
#include "agent/usage.h"
#include "agent/wire/wire.h"

namespace hotcell::agent {

class Run {
 public:
  enum class Phase { loading, running, killing, draining, sending, done };
  using Clock = std::chrono::steady_clock;

  Run(Order order, const Cgroup& cgroup);

  Phase phase() const { return phase_; }
  const Order& order() const { return order_; }
  // The environment that the program will have.
  const std::vector<std::string>& env() const { return env_; }

  void take(const FileIn& file) { files_.take(file); }
  // False: more than was allowed.
  bool take(const Input& input, Link& link);

  // Starts the program, in the kernel that waits for it or in a new one. What cannot be started ends refused.
  void go(std::optional<Kernel> warm, Link& link);
  void stop(std::uint64_t grace_ns);

  // A process of the cell has ended.
  void ended(const Ended& process);
  void none_left();
  // Its program is over, and nothing had to be killed so far: whoever else is there may stay.
  bool ended_alone() const { return phase_ == Phase::killing && !killed_; }

  // What to poll for.
  struct Watch {
    int fd = -1;
    short events = 0;
  };
  std::vector<Watch> watches(const Link& link) const;
  // When to call advance() at the latest.
  Clock::time_point wake_at() const;
  // Does all that can be done now.
  void advance(Link& link);

 private:
  std::string refusal() const;
  Expected<Kernel> start_cold();
  void refuse(Fate fate, std::string reason);
  void check_limits();
  void strike(Fate fate, std::uint64_t grace_ns);
  void main_ended(const Ended& process);
  void main_leaves(int exit_code);
  void program_is_over();
  void enter_sending();
  void send_rest(Link& link);

  Order order_;
  const std::vector<std::string> env_;
  Phase phase_ = Phase::loading;
  FilesIn files_;
  InputStream input_;
  OutputStream out_, err_;
  std::optional<Kernel> kernel_;
  Usage usage_;
  Report report_;
  std::optional<Harvest> harvest_;
  bool report_sent_ = false, struck_ = false, killed_ = false;

  Clock::time_point ordered_, went_, main_ended_;
  Clock::time_point next_look_;               // at CPU time, memory and disk
  std::optional<Clock::time_point> kill_at_;  // after a soft stop, or to try again
  Clock::time_point kill_until_;
};

}  // namespace hotcell::agent
