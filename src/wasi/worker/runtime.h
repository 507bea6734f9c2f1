// Wasmtime, as hotcell uses it: one configuration, handles that free themselves, errors that are ours.
//
// Linear memories are our own (see LinearMemory): Wasmtime's copy-on-write initialisation switches itself off silently
// for sparse images, and a reset in place needs to know exactly what is mapped where. Everything here belongs to one
// thread of one worker process, except that Engine::interrupt() may be called from a signal handler.
#pragma once
#include <wasm.h>
#include <wasmtime.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"

namespace hotcell::wasi {

inline constexpr std::size_t kWasmPage = 65536;
inline constexpr std::size_t kMaxWasmStack = 16u << 20;
// The native stack that guest code runs on. It must exceed max_wasm_stack clearly: host functions run on it too, and
// with no room above the guest's share a deep recursion kills the process instead of trapping.
inline constexpr std::size_t kGuestThreadStack = kMaxWasmStack + (4u << 20);

template <auto Delete>
struct Deleter {
  template <class T>
  void operator()(T* pointer) const {
    Delete(pointer);
  }
};

// The text of a wasmtime error or trap; frees it.
std::string take_message(wasmtime_error_t* error);
std::string take_message(wasm_trap_t* trap);
// Wasmtime's texts are a context, a backtrace of numbered functions, then the cause: the cause is what anybody can use.
std::string last_cause(const std::string& text);

// The memory of one instance: address space for 4 GiB and its guard is reserved, so that compiled code needs no bounds
// checks; the first `image_length` bytes map the image privately, the rest is anonymous.
struct LinearMemory {
  std::uint8_t* base = nullptr;
  std::size_t size = 0;      // bytes that the guest may touch
  std::size_t mapped = 0;    // the whole reservation
  std::size_t reserved = 0;  // without the guard
  std::size_t initial = 0;
};

// What the next memory is made of, and what it may grow to. Shared by the engine's memory creator with its instance,
// because Wasmtime calls the creator from inside instantiation.
struct MemoryPlan {
  int image_fd = -1;
  std::size_t image_length = 0;
  std::size_t limit = 256u << 20;  // growth beyond is refused: the guest sees memory.grow fail
  bool refused = false;            // a growth was refused since this was last cleared
  LinearMemory* memory = nullptr;  // the one that was made last and still lives
};

enum class Metering { off, fuel };

class Engine {
 public:
  explicit Engine(Metering metering);
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  wasm_engine_t* get() const { return engine_.get(); }
  MemoryPlan& memory_plan() { return *plan_; }
  Metering metering() const { return metering_; }
  void interrupt() const { wasmtime_engine_increment_epoch(engine_.get()); }  // async-signal-safe

 private:
  Metering metering_;
  std::unique_ptr<MemoryPlan> plan_;
  std::unique_ptr<wasm_engine_t, Deleter<wasm_engine_delete>> engine_;
};

class Module {
 public:
  static Expected<Module> compile(const Engine& engine, std::span<const std::uint8_t> wasm);
  // `path` must come from a trusted place: what is in it runs as native code.
  static Expected<Module> load_file(const Engine& engine, const std::filesystem::path& path);
  static Expected<Module> load(const Engine& engine, std::span<const std::uint8_t> compiled);
  Expected<std::vector<std::uint8_t>> serialize() const;
  const wasmtime_module_t* get() const { return module_.get(); }

 private:
  explicit Module(wasmtime_module_t* module) : module_(module) {}
  std::unique_ptr<wasmtime_module_t, Deleter<wasmtime_module_delete>> module_;
};

}  // namespace hotcell::wasi
