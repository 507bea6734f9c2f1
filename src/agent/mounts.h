// What is mounted in the cell, as /proc/self/mountinfo tells it.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace hotcell::agent {

struct MountLine {
  std::string root;    // which folder of its file system is mounted
  std::string target;  // where; escapes undone
  std::string options, type, source, super_options;

  bool has_option(std::string_view name) const;        // of the mount
  bool has_super_option(std::string_view name) const;  // of its file system
};

// In the order in which they were mounted: of two on the same target, the later one is seen.
std::vector<MountLine> mounts_in(std::string_view mountinfo);
std::vector<MountLine> mounts();

}  // namespace hotcell::agent
