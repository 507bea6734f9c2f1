// Hostile modules against the readers in wasi/binary. Besides not crashing:
//  - what Wasmtime validates is never "damaged" to us (a reader that disagrees with the compiler about where an
//  instruction
//    ends proves nothing),
//  - what the prover accepts of that is, without its data, still valid, and proven again with the same instructions.
#include <wasmtime.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>

#include "wasi/binary/inspect.h"
#include "wasi/binary/prove.h"
#include "wasi/binary/strip.h"

namespace {

using namespace hotcell::wasi;

bool wasmtime_accepts(std::span<const std::uint8_t> wasm) {
  static wasm_engine_t* const engine = wasm_engine_new();  // for the life of the fuzzer
  wasmtime_error_t* error = wasmtime_module_validate(engine, wasm.data(), wasm.size());
  if (error) wasmtime_error_delete(error);
  return error == nullptr;
}

void require(bool holds, const char* what, const std::string& detail = {}) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s (%s)\n", what, detail.c_str());
  std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span<const std::uint8_t> wasm(data, size);
  const bool valid = wasmtime_accepts(wasm);

  const auto info = inspect_module(wasm);
  if (info) {
    (void)check_command(*info, {});
  } else {
    require(!valid, "a valid module is called damaged by inspect_module", info.error().message);
  }

  const auto proof = prove_resettable(wasm);
  if (!proof)
    require(!valid || proof.error().code == "image_not_resettable", "valid but damaged", proof.error().message);

  const std::uint64_t pages = info && !info->memories.empty() ? info->memories[0].minimum : 1;
  const auto stripped = without_data(wasm, pages, {.keep_names = (size & 1) != 0});
  if (stripped) {
    const auto again = inspect_module(*stripped);
    if (valid) require(again.has_value(), "the stripped module cannot be read");
    if (again) require(again->data_bytes == 0, "the stripped module has data");
  }
  if (proof && valid) {
    (void)proof->text();
    require(stripped.has_value(), "a resettable module cannot be stripped", stripped ? "" : stripped.error().message);
    require(wasmtime_accepts(*stripped), "the stripped module is not valid");
    const auto proven = prove_resettable(*stripped);
    require(proven && proven->instructions == proof->instructions, "the stripped module is not proven the same");
  }
  return 0;
}
