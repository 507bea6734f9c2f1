#include "docker/resident.h"

#include <cstdlib>
#include <string>
#include <vector>

#include "base/file.h"

namespace hotcell::docker {
namespace {
constexpr std::size_t kMostText = 1 << 16;
constexpr std::size_t kMostProcesses = 1000;
}  // namespace

std::optional<std::uint64_t> private_bytes_of_tree(int pid) {
  std::uint64_t kib = 0;
  std::vector<int> processes{pid};
  for (std::size_t at = 0; at < processes.size() && processes.size() < kMostProcesses; ++at) {
    const auto folder = "/proc/" + std::to_string(processes[at]);
    const auto usage = read_file(folder + "/smaps_rollup", kMostText);
    if (!usage) {
      if (at == 0) return std::nullopt;
      continue;  // it has ended meanwhile
    }
    for (const std::string_view field : {"Private_Dirty:", "Swap:"})
      if (const auto found = usage->find(field); found != usage->npos)
        kib += std::strtoull(usage->c_str() + found + field.size(), nullptr, 10);
    const auto children = read_file(folder + "/task/" + std::to_string(processes[at]) + "/children", kMostText);
    if (!children) continue;
    const char* text = children->c_str();
    for (char* end = nullptr;; text = end) {
      const auto child = std::strtol(text, &end, 10);
      if (end == text) break;
      processes.push_back(static_cast<int>(child));
    }
  }
  return kib * 1024;
}

}  // namespace hotcell::docker
