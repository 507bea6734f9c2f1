#include "agent/usage.h"

#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>

#include "agent/folder.h"
#include "agent/text.h"

namespace hotcell::agent {
namespace {

// Where a program may write, as far as a limit on disk goes.
constexpr const char* kWritable[] = {"/workspace", "/tmp", "/dev/shm"};

bool is_full(const char* path) {
  struct statvfs about;
  if (statvfs(path, &about) < 0 || about.f_flag & ST_RDONLY) return false;
  return (about.f_blocks > 0 && about.f_bavail == 0) || (about.f_files > 0 && about.f_favail == 0);
}

std::uint64_t ns_of(const timeval& time) {
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(time.tv_usec) * 1000;
}

// User and system time of every process but the agent, by /proc/<pid>/stat.
std::uint64_t cpu_of_processes() {
  const auto folder = open_folder("/proc");
  std::uint64_t ticks = 0;
  while (const dirent* entry = next_entry(folder)) {
    const auto pid = number_in(entry->d_name);
    if (!pid || *pid == static_cast<std::uint64_t>(getpid())) continue;
    const auto text = read_text("/proc/" + std::to_string(*pid) + "/stat", 4096);
    // The name in brackets may hold anything, brackets too. utime and stime are the 12th and 13th word behind it.
    const auto end = text.rfind(')');
    if (end == text.npos) continue;
    auto rest = std::string_view(text).substr(end + 1);
    for (int skipped = 0; skipped < 11; ++skipped) next_word(rest);
    ticks += number_in(next_word(rest)).value_or(0);
    ticks += number_in(next_word(rest)).value_or(0);
  }
  return ticks * (1'000'000'000 / static_cast<std::uint64_t>(sysconf(_SC_CLK_TCK)));
}

}  // namespace

void Usage::begin() {
  const auto cpu = cgroup_->cpu_ns();
  cpu_before_ = cpu.value_or(0);
  if (!cpu) processes_before_ = cpu_of_processes();
  oom_before_ = cgroup_->oom_kills().value_or(0);
  refused_before_ = cgroup_->pids_refused().value_or(0);
  peak_before_ = cgroup_->memory_peak().value_or(0);
}

void Usage::add(const rusage& of_child) {
  reaped_ns_ += ns_of(of_child.ru_utime) + ns_of(of_child.ru_stime);
  largest_child_ = std::max(largest_child_, static_cast<std::uint64_t>(of_child.ru_maxrss) * 1024);
}

void Usage::sample() {
  memory_seen_ = std::max(memory_seen_, cgroup_->memory_now().value_or(0));
  for (const char* path : kWritable) disk_full_ |= is_full(path);
}

std::uint64_t Usage::cpu_ns() const {
  if (const auto now = cgroup_->cpu_ns()) return *now - std::min(cpu_before_, *now);
  const auto all = reaped_ns_ + cpu_of_processes();
  return all - std::min(processes_before_, all);
}

void Usage::report(Report& into) const {
  into.cpu_ns = cpu_ns();
  into.oom_kills = oom_kills();
  into.pids_refused = cgroup_->pids_refused().value_or(refused_before_) - refused_before_;
  into.disk_full = disk_full_;
  // The kernel's peak is of the cell's whole life: it is this run's only if it rose in it.
  const auto peak = cgroup_->memory_peak().value_or(0);
  into.memory_peak = peak > peak_before_ ? peak : std::max(memory_seen_, peak ? 0 : largest_child_);
}

}  // namespace hotcell::agent
