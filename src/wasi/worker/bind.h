// Wasmtime's side of the host functions: how a guest's call reaches the Host of its run.
#pragma once
#include <wasmtime.h>

#include <optional>

#include "base/error.h"
#include "wasi/p1/host.h"
#include "wasi/worker/runtime.h"

namespace hotcell::wasi {

// What a store's data pointer points to while guest code may run.
struct RunContext {
  Host* host = nullptr;
  MemoryPlan* plan = nullptr;                     // of the engine; names the memory of the running instance
  std::optional<wasmtime_trap_code_t> trap_code;  // of an instantiation that trapped
};

// Defines every function of wasi_snapshot_preview1.
Expected<void> bind_preview1(wasmtime_linker_t* linker);

}  // namespace hotcell::wasi
