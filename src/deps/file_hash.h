// SHA-256 of a file that may be larger than memory, read in pieces. (A mapping would do in one call, but a disk that
// fails under it kills the process instead of giving an error.)
#pragma once
#include "base/error.h"
#include "base/hash.h"

namespace hotcell::deps {

struct FileHash {
  Digest digest{};
  std::uint64_t bytes = 0;
};

// From the current position to the end; past `cap` bytes it stops with "file_too_large".
Expected<FileHash> hash_file(int fd, std::uint64_t cap);

}  // namespace hotcell::deps
