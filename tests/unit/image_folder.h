// Where the tests find the images that they run. A missing image must fail a test, never skip it.
#pragma once
#include <cstdlib>
#include <filesystem>

namespace hotcell::testing {

inline std::filesystem::path images_folder() {
  if (const char* set = std::getenv("HOTCELL_IMAGES"); set && *set) return set;
  return std::filesystem::path(HOTCELL_BIN_DIR).parent_path() / "share" / "hotcell" / "images";
}

}  // namespace hotcell::testing
