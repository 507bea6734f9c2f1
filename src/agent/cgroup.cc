#include "agent/cgroup.h"

#include <unistd.h>

#include <algorithm>

#include "agent/mounts.h"
#include "agent/text.h"

namespace hotcell::agent {
namespace {

constexpr std::uint64_t kNoLimit = 1ull << 60;  // version 1 says "none" with a number near 2^63

// The path of this process in the hierarchy of `controller`; "" for version 2's.
std::optional<std::string> own_path(std::string_view self_cgroup, std::string_view controller) {
  while (!self_cgroup.empty()) {
    auto line = next_line(self_cgroup);
    next_part(line, ':');
    auto controllers = next_part(line, ':');
    if (controller.empty() && controllers.empty()) return std::string(line);
    while (!controllers.empty())
      if (next_part(controllers, ',') == controller && !controller.empty()) return std::string(line);
  }
  return std::nullopt;
}

std::string folder_of(const std::vector<MountLine>& mounts, std::string_view self_cgroup, std::string_view controller) {
  const auto path = own_path(self_cgroup, controller);
  if (!path) return {};
  for (const auto& mount : mounts) {
    const bool right =
        controller.empty() ? mount.type == "cgroup2" : mount.type == "cgroup" && mount.has_super_option(controller);
    if (!right) continue;
    // Without a namespace of its own a container has only its own folder mounted, and still sees the whole path.
    std::string_view rest = *path;
    if (mount.root != "/" && rest.starts_with(mount.root)) rest.remove_prefix(mount.root.size());
    if (rest == "/" || rest.find("..") != rest.npos) rest = {};
    return mount.target + std::string(rest);
  }
  return {};
}

unsigned lines_in(const std::string& path) {
  const auto text = read_text(path, 1u << 20);
  return static_cast<unsigned>(std::ranges::count(text, '\n'));
}

// Version 2 lists a process of another pid namespace as 0.
bool only_ours(const std::string& folder) {
  const auto text = read_text(folder + "/cgroup.procs", 1u << 20);
  return !text.empty() && !text.starts_with("0\n") && text.find("\n0\n") == text.npos;
}

// Version 1 does not list it; but it counts it. The machine's own group, which alone has a release_agent, is nobody's.
bool only_ours_v1(const std::string& pids) {
  const auto counted = number_in_file(pids + "/pids.current");
  return counted && *counted == lines_in(pids + "/tasks") && access((pids + "/release_agent").c_str(), F_OK) != 0;
}

std::uint64_t limit_in(const std::string& path) {
  const auto value = number_in_file(path);
  return value && *value < kNoLimit ? *value : kUnlimited;
}

}  // namespace

Cgroup Cgroup::find() { return find(read_text("/proc/self/mountinfo", 512u << 10), read_text("/proc/self/cgroup")); }

Cgroup Cgroup::find(std::string_view mountinfo, std::string_view self_cgroup) {
  Cgroup out;
  const auto all = mounts_in(mountinfo);
  out.memory_ = folder_of(all, self_cgroup, "memory");
  if (!out.memory_.empty()) {
    out.version_ = 1;
    out.pids_ = folder_of(all, self_cgroup, "pids");
    out.cpu_ = folder_of(all, self_cgroup, "cpu");
    out.cpuacct_ = folder_of(all, self_cgroup, "cpuacct");
  } else if (const auto unified = folder_of(all, self_cgroup, ""); !unified.empty()) {
    out.version_ = 2;
    out.memory_ = out.pids_ = out.cpu_ = out.cpuacct_ = unified;
  }
  // The counters are read in several hierarchies; that nobody else is in them is known of one. They belong together if
  // the group has the same place in all.
  const auto place = own_path(self_cgroup, "pids");
  out.private_ = out.version_ == 2 ? only_ours(out.memory_)
                                   : place && place == own_path(self_cgroup, "memory") &&
                                         place == own_path(self_cgroup, "cpuacct") && only_ours_v1(out.pids_);
  if (out.private_) out.open_counters();
  return out;
}

void Cgroup::read_limits(Facts& into) const {
  into.cgroup_version = static_cast<std::uint8_t>(version_);
  into.cgroup_private = private_;
  if (version_ == 0) return;
  into.pids_limit = limit_in(pids_ + "/pids.max");
  if (version_ == 1) {
    into.memory_limit = limit_in(memory_ + "/memory.limit_in_bytes");
    into.memory_swap_limit = limit_in(memory_ + "/memory.memsw.limit_in_bytes");
    into.cpu_quota_us = limit_in(cpu_ + "/cpu.cfs_quota_us");  // -1 is no number that number_in() takes
    into.cpu_period_us = number_in_file(cpu_ + "/cpu.cfs_period_us").value_or(0);
    return;
  }
  into.memory_limit = limit_in(memory_ + "/memory.max");
  const auto swap = limit_in(memory_ + "/memory.swap.max");
  const bool none = into.memory_limit == kUnlimited || swap == kUnlimited;
  into.memory_swap_limit = none ? kUnlimited : into.memory_limit + swap;
  const auto cpu = read_text(cpu_ + "/cpu.max");
  std::string_view rest = cpu;
  into.cpu_quota_us = number_in(next_word(rest)).value_or(kUnlimited);
  into.cpu_period_us = number_in(next_word(rest)).value_or(0);
}

void Cgroup::open_counters() {
  const bool first = version_ == 1;
  cpu_used_ = LiveFile(cpuacct_ + (first ? "/cpuacct.usage" : "/cpu.stat"));
  memory_now_ = LiveFile(memory_ + (first ? "/memory.usage_in_bytes" : "/memory.current"));
  memory_peak_ = LiveFile(memory_ + (first ? "/memory.max_usage_in_bytes" : "/memory.peak"));
  oom_ = LiveFile(memory_ + (first ? "/memory.oom_control" : "/memory.events"));
  pids_events_ = LiveFile(pids_ + "/pids.events");
}

std::optional<std::uint64_t> Cgroup::cpu_ns() const {
  if (version_ == 1) return cpu_used_.number();
  const auto us = cpu_used_.value_of("usage_usec");
  return us ? std::optional(*us * 1000) : std::nullopt;
}

}  // namespace hotcell::agent
