// The proof that a module's state is nothing but its linear memory and its exported mutable globals, so that copying
// both back from an image is a complete reset.
//
// A reset that misses something is a hole between two users' runs, and no test can show that nothing was missed;
// reading every instruction can. Refused is whatever could change anything else (tables, dropped segments), whatever
// would run again over a finished image (start functions, passive data), whatever we cannot see or restore (imported
// state, unexported globals, references in globals), and every instruction that this decoder does not know.
//
// The proof is about modules that Wasmtime accepts: types and indices are its validator's business. What is checked
// here is that both read the same instructions.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"

namespace hotcell::wasi {

struct ResetProof {
  struct Global {
    std::string export_name;
    std::string type;  // "i32", "i64", "f32", "f64" or "v128"
    std::uint32_t index = 0;
  };
  struct Table {
    std::string type;  // "funcref" or "externref"
    std::uint64_t minimum = 0;
    std::optional<std::uint64_t> maximum;
    std::string export_name;  // empty when it has none
  };

  std::uint64_t instructions = 0;
  std::uint32_t functions = 0;
  std::vector<Global> globals;  // every mutable one: to be saved with the image and restored at each reset
  std::vector<Table> tables;    // never change after instantiation
  std::uint64_t memory_pages_minimum = 0;
  std::optional<std::uint64_t> memory_pages_maximum;
  std::string memory_export;
  bool grows_memory = false;  // holds a memory.grow: a cell whose memory grew cannot be reset and is thrown away
  std::uint32_t element_segments = 0;
  std::uint32_t data_segments = 0;

  std::string text() const;  // one line, for people
};

// "image_not_resettable": the module is understood (or uses an instruction that is not), and one sentence names what
// stands in the way and where. "module_invalid": it is damaged.
Expected<ResetProof> prove_resettable(std::span<const std::uint8_t> wasm);

}  // namespace hotcell::wasi
