// The cell's control group as it is seen from inside, version 1 and 2 alike: limits for the proof, counters for a run.
#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "agent/text.h"
#include "agent/wire/wire.h"

namespace hotcell::agent {

class Cgroup {
 public:
  static Cgroup find();
  // From the texts that describe them; for tests.
  static Cgroup find(std::string_view mountinfo, std::string_view self_cgroup);

  int version() const { return version_; }
  // No process outside this pid namespace is in it. If one is, its counters are not about the cell.
  bool is_private() const { return private_; }

  void read_limits(Facts& into) const;

  // Counters since the group was made; nullopt where they cannot be read.
  std::optional<std::uint64_t> cpu_ns() const;
  std::optional<std::uint64_t> memory_now() const { return memory_now_.number(); }
  std::optional<std::uint64_t> memory_peak() const { return memory_peak_.number(); }
  std::optional<std::uint64_t> oom_kills() const { return oom_.value_of("oom_kill"); }
  std::optional<std::uint64_t> pids_refused() const { return pids_events_.value_of("max"); }

 private:
  void open_counters();

  std::string memory_, pids_, cpu_, cpuacct_;  // folders, empty where there is none
  int version_ = 0;
  bool private_ = false;
  LiveFile cpu_used_, memory_now_, memory_peak_, oom_, pids_events_;  // of a private one
};

}  // namespace hotcell::agent
