#include "server/process_metrics.h"

#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace hotcell::server {

namespace {

struct Memory {
  double all = 0, resident = 0;  // bytes
};

Memory memory() {
  std::ifstream file("/proc/self/statm");
  Memory out;
  file >> out.all >> out.resident;
  const auto page = static_cast<double>(::sysconf(_SC_PAGESIZE));
  out.all *= page, out.resident *= page;
  return out;
}

double cpu_seconds() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

double open_descriptors() {
  std::error_code ignored;
  const std::filesystem::directory_iterator all("/proc/self/fd", ignored);
  return static_cast<double>(std::distance(begin(all), end(all))) - 1;  // without the one that looks
}

double most_descriptors() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  return static_cast<double>(limit.rlim_cur);
}

}  // namespace

double resident_bytes() { return memory().resident; }

double allocated_bytes() {
  const auto heap = ::mallinfo2();
  return static_cast<double>(heap.uordblks + heap.hblkhd);
}

void add_process_metrics(Metrics& metrics) {
  const auto since_epoch = std::chrono::system_clock::now().time_since_epoch();
  const double started = std::chrono::duration<double>(since_epoch).count();
  metrics.total("process_cpu_seconds_total", "CPU time of this process, not of programs", cpu_seconds);
  metrics.gauge("process_resident_memory_bytes", "Memory of this process", resident_bytes);
  metrics.gauge("process_virtual_memory_bytes", "Address space of this process", [] { return memory().all; });
  metrics.gauge("process_open_fds", "Descriptors that are open", open_descriptors);
  metrics.gauge("process_max_fds", "Descriptors that may be open", most_descriptors);
  metrics.gauge("process_start_time_seconds", "When it began, since 1970", [started] { return started; });
}

}  // namespace hotcell::server
