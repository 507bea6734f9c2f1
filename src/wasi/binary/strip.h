// A module without its data, to be instantiated over a memory that is mapped from an image and already holds
// everything.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "base/error.h"

namespace hotcell::wasi {

struct StripOptions {
  bool keep_names = false;  // the "name" section: function names in traces, some megabytes for an interpreter
};

// The module without data segments and their count, its memory's minimum set to `memory_pages`, without custom
// sections; all else byte for byte the same. Meant for a module that prove_resettable() accepted: one that used
// memory.init or data.drop would no longer be valid, so passive segments are refused here too ("image_not_resettable").
Expected<std::vector<std::uint8_t>> without_data(std::span<const std::uint8_t> wasm, std::uint64_t memory_pages,
                                                 StripOptions options = {});

}  // namespace hotcell::wasi
