// Makes an image folder from an interpreter module: proves it resettable, lets it initialise itself once, and keeps
// what its memory looks like then.
//
// The module must export the functions that docs/wasi.md describes (hc_init, hc_request, hc_run, hc_report,
// hc_break_info). Initialisation runs with a fixed clock and fixed randomness: the same module gives the same image.
#pragma once
#include <filesystem>
#include <string>

#include "base/error.h"

namespace hotcell::wasi {

struct BakeOptions {
  std::string name, language;
  std::filesystem::path wasm, pack, parts;  // pack and parts may be empty
  std::filesystem::path out;                // the image folder; replaced as a whole
};

Expected<void> bake_image(const BakeOptions& options);

}  // namespace hotcell::wasi
