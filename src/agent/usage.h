// What a run costs: CPU time, memory and what the cell's limits refused, since it began. From the cell's control group
// where there is one of its own; else from what wait4() and /proc tell of its processes.
#pragma once
#include <sys/resource.h>

#include <cstdint>

#include "agent/cgroup.h"
#include "agent/wire/wire.h"

namespace hotcell::agent {

class Usage {
 public:
  explicit Usage(const Cgroup& cgroup) : cgroup_(&cgroup) {}

  void begin();
  // A child was reaped; it brings along what it had waited for itself.
  void add(const rusage& of_child);
  // Now and then while it runs: memory that the kernel keeps no peak of, and file systems that are full for a while.
  void sample();

  std::uint64_t cpu_ns() const;
  std::uint64_t oom_kills() const { return cgroup_->oom_kills().value_or(oom_before_) - oom_before_; }
  void report(Report& into) const;

 private:
  const Cgroup* cgroup_;
  std::uint64_t cpu_before_ = 0, oom_before_ = 0, refused_before_ = 0, peak_before_ = 0, processes_before_ = 0;
  std::uint64_t reaped_ns_ = 0, memory_seen_ = 0, largest_child_ = 0;
  bool disk_full_ = false;
};

}  // namespace hotcell::agent
