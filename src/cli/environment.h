#pragma once
#include <cstdlib>
#include <string>

namespace hotcell::cli {

// Not set and empty are the same.
inline std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

}  // namespace hotcell::cli
