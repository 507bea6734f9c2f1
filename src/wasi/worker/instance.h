// A live WebAssembly instance in a store of its own, and calls into it that end: by returning, by trapping, or because
// the clock struck.
#pragma once
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "wasi/worker/bind.h"
#include "wasi/worker/image.h"
#include "wasi/worker/runtime.h"
#include "wasi/worker/stop_clock.h"

namespace hotcell::wasi {

struct CallOutcome {
  enum class Kind { returned, stopped, stack_overflow, out_of_fuel, trapped };
  Kind kind = Kind::returned;
  std::int32_t value = 0;
  std::string trap;  // what Wasmtime says, for `trapped`
  std::optional<wasmtime_trap_code_t> code;
};

// What to do when the clock strikes while guest code runs.
class OnStrike {
 public:
  virtual ~OnStrike() = default;
  // True: go on for now (the guest has been asked to stop by itself); false: trap.
  virtual bool go_on() = 0;
};

class Instance {
 public:
  struct Limits {
    std::size_t memory_bytes = 256u << 20;
    std::uint32_t table_elements = 20000;
  };
  // `memory_fd` >= 0: the first `memory_length` bytes of the memory map that file. The context and the strike handler
  // must outlive the instance.
  static Expected<std::unique_ptr<Instance>> create(Engine& engine, const Program& program, RunContext& context,
                                                    const Limits& limits, OnStrike& on_strike, int memory_fd = -1,
                                                    std::size_t memory_length = 0);

  // A function by name; nullopt when it is not exported as one. Look up once: it is not free.
  std::optional<wasmtime_func_t> function(std::string_view name);
  // The same, but only a function without parameters and results.
  std::optional<wasmtime_func_t> command(std::string_view name);
  CallOutcome call(const wasmtime_func_t& function, std::initializer_list<std::int32_t> args, bool has_result);

  // From now on the next epoch bump reaches OnStrike.
  void watch_epoch() { wasmtime_context_set_epoch_deadline(context(), 1); }
  Expected<void> set_fuel(std::uint64_t fuel);
  std::uint64_t fuel_left() const;

  std::span<std::uint8_t> memory() const { return {memory_->base, memory_->size}; }
  bool grown() const { return memory_->size != memory_->initial; }
  wasmtime_context_t* context() const { return wasmtime_store_context(store_.get()); }
  const wasmtime_instance_t& handle() const { return instance_; }
  std::optional<wasmtime_global_t> global(std::string_view name);

 private:
  Instance() = default;
  std::unique_ptr<wasmtime_store_t, Deleter<wasmtime_store_delete>> store_;
  wasmtime_instance_t instance_{};
  LinearMemory* memory_ = nullptr;
  LinearMemory none_;  // for a module without a memory
};

}  // namespace hotcell::wasi
