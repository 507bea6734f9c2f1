// Failed system calls on the cache's files, as errors that say what to do.
#pragma once
#include <cerrno>
#include <string_view>

#include "base/error.h"

namespace hotcell::deps {

// cache_full, cache_read_only or cache_unusable: what the error number means for somebody who runs a cache.
std::unexpected<Error> cache_error(std::string_view tried, int error_number = errno);

// For errors that came from elsewhere, an installer or base/file.h, and may hide a full disk.
bool is_disk_full(int error_number);

}  // namespace hotcell::deps
