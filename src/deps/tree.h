// Folders full of a stranger's files: made immutable, read, removed.
//
// What an installer leaves behind came out of packages that anybody may publish. So nothing here follows a symbolic
// link, opens what is not a regular file, recurses without bound or trusts a mode. Everything goes through descriptors
// of folders, never through paths that could be swapped.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "base/error.h"
#include "base/hash.h"

namespace hotcell::deps {

struct TreeLimits {
  std::uint64_t max_items = 200'000;
  std::uint64_t max_bytes = std::uint64_t{8} << 30;
  int max_depth = 64;
};

struct TreeItem {
  enum class Kind : char { file = 'f', directory = 'd', link = 'l', other = '?' };
  Kind kind = Kind::file;
  std::string path;  // below the folder, "." for itself
  unsigned mode = 0;
  std::uint64_t size = 0;
  Digest hash{};       // of a file
  std::string target;  // of a link

  bool operator==(const TreeItem&) const = default;
};

struct Tree {
  std::vector<TreeItem> items;  // sorted by path
  std::uint64_t bytes = 0;      // what the files take on a disk, in blocks of 4 KiB
};

// Makes everything below the folder immutable (files 0444 or 0555, folders 0555, owned by us, no second name outside)
// and reads it. Refuses ("install_invalid") devices, sockets, pipes, links that lead out, and more than the limits.
Expected<Tree> seal_tree(int folder, const TreeLimits& limits, Deadline deadline);

// Reads it as it is, odd things included.
Expected<Tree> read_tree(int folder, const TreeLimits& limits, Deadline deadline);

// Removes a file or a folder with all that is in it, however it was protected and however deep it is. What is not there
// is no error.
Expected<void> remove_tree(int parent, const std::string& name);

// Whether a link at `path` with this target stays below the folder whatever other links of that kind lie on its way.
bool link_stays_inside(std::string_view path, std::string_view target);

}  // namespace hotcell::deps
