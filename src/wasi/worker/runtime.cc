#include "wasi/worker/runtime.h"

#include <sys/mman.h>

#include <algorithm>

#include "wasi/manifest.h"

namespace hotcell::wasi {
namespace {

// Wasmtime needs room for a 32-bit address plus the largest static offset it elides checks for.
constexpr std::uint64_t kReservation = 4ull << 30;
constexpr std::uint64_t kGuard = 32ull << 20;

std::uint8_t* memory_get(void* env, std::size_t* size, std::size_t* capacity) {
  const auto* memory = static_cast<LinearMemory*>(env);
  *size = memory->size;
  *capacity = memory->reserved;
  return memory->base;
}

struct OwnedMemory : LinearMemory {
  MemoryPlan* plan;
};

wasmtime_error_t* memory_grow(void* env, std::size_t new_size) {
  auto* memory = static_cast<OwnedMemory*>(env);
  if (new_size <= memory->size) return nullptr;
  if (new_size > memory->plan->limit || new_size > memory->reserved ||
      mprotect(memory->base + memory->size, new_size - memory->size, PROT_READ | PROT_WRITE)) {
    memory->plan->refused = true;
    return wasmtime_error_new("memory limit");
  }
  memory->size = new_size;
  return nullptr;
}

void memory_free(void* env) {
  auto* memory = static_cast<OwnedMemory*>(env);
  if (memory->plan->memory == memory) memory->plan->memory = nullptr;
  munmap(memory->base, memory->mapped);
  delete memory;
}

wasmtime_error_t* memory_new(void* env, const wasm_memorytype_t*, std::size_t minimum, std::size_t,
                             std::size_t reserved, std::size_t guard, wasmtime_linear_memory_t* out) {
  auto* plan = static_cast<MemoryPlan*>(env);
  if (minimum > plan->limit && plan->image_fd < 0) {
    plan->refused = true;
    return wasmtime_error_new("the module's initial memory is above the memory limit");
  }
  auto memory = std::make_unique<OwnedMemory>();
  memory->plan = plan;
  memory->size = memory->initial = minimum;
  memory->reserved = std::max(reserved, minimum);
  memory->mapped = memory->reserved + guard;
  void* at = mmap(nullptr, memory->mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED) return wasmtime_error_new("cannot reserve address space for a memory");
  memory->base = static_cast<std::uint8_t*>(at);
  const std::size_t image = plan->image_fd < 0 ? 0 : std::min(plan->image_length, minimum);
  if ((image &&
       mmap(memory->base, image, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, plan->image_fd, 0) == MAP_FAILED) ||
      (minimum > image && mprotect(memory->base + image, minimum - image, PROT_READ | PROT_WRITE))) {
    munmap(memory->base, memory->mapped);
    return wasmtime_error_new("cannot map the memory image");
  }
  plan->memory = memory.get();
  *out = {memory.release(), memory_get, memory_grow, memory_free};
  return nullptr;
}

}  // namespace

std::string take_message(wasmtime_error_t* error) {
  wasm_name_t text;
  wasmtime_error_message(error, &text);
  std::string out(text.data, text.size);
  wasm_name_delete(&text);
  wasmtime_error_delete(error);
  return out;
}

std::string take_message(wasm_trap_t* trap) {
  wasm_message_t text;
  wasm_trap_message(trap, &text);
  std::string out(text.data, text.size ? text.size - 1 : 0);
  wasm_name_delete(&text);
  wasm_trap_delete(trap);
  return out;
}

Engine::Engine(Metering metering) : metering_(metering), plan_(std::make_unique<MemoryPlan>()) {
  wasm_config_t* config = wasm_config_new();
  wasmtime_config_epoch_interruption_set(config, true);
  wasmtime_config_consume_fuel_set(config, metering == Metering::fuel);
  wasmtime_config_max_wasm_stack_set(config, kMaxWasmStack);
  wasmtime_config_async_stack_size_set(config,
                                       2 * kMaxWasmStack);  // unused, but below max_wasm_stack the engine aborts
  wasmtime_config_memory_init_cow_set(config, false);       // aborts together with an own memory creator
  wasmtime_config_memory_reservation_set(config, kReservation);
  wasmtime_config_memory_guard_size_set(config, kGuard);
  wasmtime_config_memory_may_move_set(config, false);
  wasmtime_config_native_unwind_info_set(config, false);  // registering it costs at load, and only debuggers read it
  wasmtime_config_cranelift_opt_level_set(config, WASMTIME_OPT_LEVEL_SPEED);
  wasmtime_memory_creator_t creator{plan_.get(), memory_new, nullptr};
  wasmtime_config_host_memory_creator_set(config, &creator);
  engine_.reset(wasm_engine_new_with_config(config));
}

std::string last_cause(const std::string& text) {
  auto end = text.find_last_not_of("\n ");
  if (end == text.npos) return {};
  const auto trap = text.rfind("wasm trap: ");
  auto from = trap != text.npos ? trap : text.rfind('\n', end) + 1;
  end = std::min(text.find('\n', from), end + 1);
  // "    1: cause": the number counts the causes.
  while (trap == text.npos && from < end &&
         (text[from] == ' ' || text[from] == ':' || (text[from] >= '0' && text[from] <= '9')))
    ++from;
  return text.substr(from, end - from);
}

Expected<Module> Module::compile(const Engine& engine, std::span<const std::uint8_t> wasm) {
  wasmtime_module_t* module = nullptr;
  if (auto* error = wasmtime_module_new(engine.get(), wasm.data(), wasm.size(), &module))
    return fail("module_invalid", "the module is not valid: " + last_cause(take_message(error)));
  return Module(module);
}

Expected<Module> Module::load_file(const Engine& engine, const std::filesystem::path& path) {
  wasmtime_module_t* module = nullptr;
  if (auto* error = wasmtime_module_deserialize_file(engine.get(), path.c_str(), &module))
    return fail("image_incompatible", "cannot load the compiled image " + path.string() + ": " + take_message(error),
                kMakeImages);
  return Module(module);
}

Expected<Module> Module::load(const Engine& engine, std::span<const std::uint8_t> compiled) {
  wasmtime_module_t* module = nullptr;
  if (auto* error = wasmtime_module_deserialize(engine.get(), compiled.data(), compiled.size(), &module))
    return fail("module_incompatible", "cannot load the compiled module: " + take_message(error));
  return Module(module);
}

Expected<std::vector<std::uint8_t>> Module::serialize() const {
  wasm_byte_vec_t bytes;
  if (auto* error = wasmtime_module_serialize(module_.get(), &bytes))
    return fail("internal", "cannot serialize a compiled module: " + take_message(error));
  std::vector<std::uint8_t> out(bytes.data, bytes.data + bytes.size);
  wasm_byte_vec_delete(&bytes);
  return out;
}

}  // namespace hotcell::wasi
