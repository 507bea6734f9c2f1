// Where the tests find the images that they run. A missing image must fail a test, never skip it.
#pragma once
#include <cstdlib>
#include <filesystem>

#include "places.h"

namespace hotcell::testing {

inline std::filesystem::path images_folder() {
  if (const char* set = std::getenv("HOTCELL_IMAGES"); set && *set) return set;
  return std::filesystem::path(kBinFolder).parent_path() / "share" / "hotcell" / "images";
}

}  // namespace hotcell::testing
