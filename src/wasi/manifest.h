// manifest.json: what an image folder holds, so that a wrong one is refused with a reason instead of being loaded.
//
// An image folder: code.cwasm (compiled, without data segments), code-fuel.cwasm (the same, metered), memory.bin
// (linear memory after initialisation), stdlib.pack (files that every cell sees; optional), manifest.json (written
// last: a folder without it is not an image).
#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/error.h"

namespace hotcell::wasi {

// Raised whenever an image built before could be misread after.
inline constexpr int kImageLayout = 1;

// What to do about an image that is missing or of no use, for an error's hint.
inline constexpr const char* kMakeImages =
    "make the images on this machine: hotcell images bake, or scripts/build --images in the sources";

struct GlobalValue {
  std::string name;
  bool is_64 = false;
  std::int64_t value = 0;
};

struct Manifest {
  int layout = kImageLayout;
  std::string name, language, version;  // "python", "python", "3.11.2"
  std::string wasmtime, settings, cpu;  // what the code was compiled by and for
  std::string wasm_sha256, memory_sha256;
  std::string proof;  // why it may be reset in place, one line
  std::string built_at;
  std::uint64_t memory_bytes = 0;
  std::uint64_t used_bytes = 0;              // pages of the image that are not all zero
  std::vector<GlobalValue> globals;          // every mutable one
  std::uint32_t report_address = 0;          // of the report structure in guest memory
  std::uint32_t break_words[4] = {};         // soft break: mem[0] = 3, mem[1] = mem[2] = 1
  std::map<std::string, std::string> parts;  // versions of what is inside

  std::string to_json() const;
  static Expected<Manifest> from_json(const std::string& text);
  static Expected<Manifest> load(const std::filesystem::path& folder);
};

// The Wasmtime that this build was made with, and the engine settings that decide whether compiled code fits. Here,
// because the engine's side keys its caches with them and does not link Wasmtime.
std::string compiled_by();
std::string compiled_settings(bool fuel);

// The processor features that compiled code may depend on, as one short line.
std::string cpu_features();

// The folder with one folder for each image: $HOTCELL_IMAGES, or ../share/hotcell/images beside the executable.
std::filesystem::path default_images_folder();

}  // namespace hotcell::wasi
