#include "agent/facts.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>

#include "agent/folder.h"
#include "agent/mounts.h"
#include "agent/processes.h"
#include "agent/text.h"
#include "base/fd.h"

namespace hotcell::agent {
namespace {

// Smaller than the wire's own: all of it together has to fit one frame.
constexpr std::size_t kMaxListed = 256;
constexpr std::size_t kMaxText = 512;

std::string cut(std::string_view text) { return std::string(text.substr(0, kMaxText)); }

void read_ids(std::string_view status, std::string_view key, std::uint32_t (&ids)[4]) {
  auto rest = value_of(status, key);
  for (auto& id : ids) id = static_cast<std::uint32_t>(number_in(next_word(rest)).value_or(~0u));
}

void read_status(Facts& into) {
  const auto text = read_text("/proc/self/status");
  read_ids(text, "Uid", into.uid);
  read_ids(text, "Gid", into.gid);
  auto groups = value_of(text, "Groups");
  while (const auto group = number_in(next_word(groups)))
    if (into.groups.size() < kMaxListed) into.groups.push_back(static_cast<std::uint32_t>(*group));
  const auto set = [&text](std::string_view key) { return number_in(value_of(text, key), 16).value_or(~0ull); };
  into.cap_inheritable = set("CapInh");
  into.cap_permitted = set("CapPrm");
  into.cap_effective = set("CapEff");
  into.cap_bounding = set("CapBnd");
  into.cap_ambient = set("CapAmb");
  into.seccomp_mode = static_cast<std::uint8_t>(number_in(value_of(text, "Seccomp")).value_or(0));
  into.seccomp_filters = static_cast<std::uint32_t>(number_in(value_of(text, "Seccomp_filters")).value_or(0));
  into.no_new_privs = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
  into.dumpable = prctl(PR_GET_DUMPABLE) != 0;
}

void read_system(Facts& into) {
  utsname names{};
  uname(&names);
  into.hostname = cut(names.nodename);
  into.kernel = cut(names.release);
  cpu_set_t cpus;
  if (sched_getaffinity(0, sizeof cpus, &cpus) == 0) into.cpus = static_cast<std::uint32_t>(CPU_COUNT(&cpus));
  const auto oom = read_text("/proc/self/oom_score_adj", 64);
  into.oom_score_adj = oom.starts_with('-') ? -static_cast<int>(number_in(oom.substr(1)).value_or(0))
                                            : static_cast<int>(number_in(oom).value_or(0));
  into.nice = getpriority(PRIO_PROCESS, 0);
  const auto label = read_text("/proc/self/attr/current", 256);
  std::string_view rest = label;
  into.lsm_label = next_line(rest);
  for (std::uint8_t resource = 0; resource < RLIM_NLIMITS; ++resource) {
    rlimit limit{};
    if (getrlimit(static_cast<__rlimit_resource>(resource), &limit) < 0) continue;
    into.rlimits.push_back({resource, limit.rlim_cur, limit.rlim_max});
  }
  for (char** entry = environ; entry && *entry && into.env_names.size() < kMaxListed; ++entry) {
    const std::string_view text(*entry);
    into.env_names.push_back(cut(text.substr(0, text.find('='))));
  }
}

void read_mounts(Facts& into) {
  for (const auto& line : mounts()) {
    if (into.mounts.size() >= kMaxListed) return;
    Facts::Mount mount;
    mount.target = cut(line.target);
    mount.type = cut(line.type);
    mount.source = cut(line.source);
    mount.options = cut(line.options);
    mount.super_options = cut(line.super_options);
    struct statvfs about;
    if (statvfs(line.target.c_str(), &about) == 0) {
      mount.bytes = static_cast<std::uint64_t>(about.f_blocks) * about.f_frsize;
      mount.inodes = about.f_files;
      mount.writable = !(about.f_flag & ST_RDONLY) && faccessat(AT_FDCWD, line.target.c_str(), W_OK, AT_EACCESS) == 0;
    }
    mount.listable = faccessat(AT_FDCWD, line.target.c_str(), R_OK, AT_EACCESS) == 0;
    into.mounts.push_back(std::move(mount));
  }
}

// The links in one of our own folders in /proc, as "name target"; those to `folder` itself left out.
// By name: who is not dumpable may not list its own folder, but may read every link in it.
std::vector<std::string> read_namespaces() {
  std::vector<std::string> out;
  for (const char* name : {"cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"}) {
    char target[kMaxText];
    const ssize_t size = readlink(("/proc/self/ns/" + std::string(name)).c_str(), target, sizeof target);
    if (size > 0) out.emplace_back(target, static_cast<std::size_t>(size));
  }
  return out;
}

std::vector<std::string> links_in(const char* path) {
  std::vector<std::string> out;
  const auto folder = open_folder(path);
  while (const dirent* entry = next_entry(folder)) {
    if (out.size() >= kMaxListed) break;
    if (number_in(entry->d_name) == static_cast<std::uint64_t>(dirfd(folder.get()))) continue;
    char target[kMaxText];
    const ssize_t size = readlinkat(dirfd(folder.get()), entry->d_name, target, sizeof target);
    const std::string_view text(target, static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
    out.push_back(std::string(entry->d_name) + " " + std::string(text));
  }
  std::ranges::sort(out);
  return out;
}

}  // namespace

Facts gather_facts(const Cgroup& cgroup, bool guarded, const std::vector<std::string>& probes) {
  Facts out;
  out.pid = static_cast<std::uint32_t>(getpid());
  out.guarded = guarded;
  read_status(out);
  read_system(out);
  read_mounts(out);
  cgroup.read_limits(out);
  read_network(out);
  read_reachable(out, probes);
  read_devices(out);
  out.namespaces = read_namespaces();
  out.descriptors = links_in("/proc/self/fd");
  out.processes = count_processes();
  return out;
}

std::string what_stays(Facts facts) {
  facts.processes = 0;
  // The host may change these between runs.
  facts.memory_limit = facts.memory_swap_limit = facts.pids_limit = facts.cpu_quota_us = facts.cpu_period_us = 0;
  return facts.encode();
}

}  // namespace hotcell::agent
