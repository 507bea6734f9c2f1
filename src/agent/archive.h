// A ZIP archive, not compressed, in a sealed memory file: a thing that Python can import from though it lies in no
// folder.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"

namespace hotcell::agent {

struct ZipEntry {
  std::string_view name, content;
};
std::string zip_of(const std::vector<ZipEntry>& entries);

// Readable, and no more to be changed by anybody. Inherited by nobody until it is given a number.
Fd sealed_memory(const char* name, std::string_view content);

}  // namespace hotcell::agent
