#include "wasi/worker/bind.h"

namespace hotcell::wasi {
namespace {

wasm_functype_t* type_of(const Function& function) {
  wasm_valtype_vec_t params, results;
  wasm_valtype_vec_new_uninitialized(&params, function.params.size());
  for (std::size_t i = 0; i < function.params.size(); ++i)
    params.data[i] = wasm_valtype_new(function.params[i] == 'I' ? WASM_I64 : WASM_I32);
  wasm_valtype_vec_new_uninitialized(&results, function.has_result ? 1 : 0);
  if (function.has_result) results.data[0] = wasm_valtype_new(WASM_I32);
  return wasm_functype_new(&params, &results);
}

// Called by compiled code, with neither types nor counts checked: they were fixed when the function was defined.
wasm_trap_t* call_host(void* env, wasmtime_caller_t* caller, wasmtime_val_raw_t* values, std::size_t) {
  const auto& function = *static_cast<const Function*>(env);
  auto& run = *static_cast<RunContext*>(wasmtime_context_get_data(wasmtime_caller_context(caller)));
  std::uint64_t args[16];
  for (std::size_t i = 0; i < function.params.size(); ++i)
    args[i] = function.params[i] == 'I' ? static_cast<std::uint64_t>(values[i].i64)
                                        : static_cast<std::uint32_t>(values[i].i32);
  GuestMemory memory;
  if (const auto* linear = run.plan->memory) memory = {reinterpret_cast<std::byte*>(linear->base), linear->size};
  const CallResult result = function.call(*run.host, memory, args);
  if (result.stop) return wasmtime_trap_new("stopped by the host", 19);
  if (function.has_result) values[0].i32 = static_cast<std::int32_t>(result.error);
  return nullptr;
}

}  // namespace

Expected<void> bind_preview1(wasmtime_linker_t* linker) {
  for (const auto& function : functions()) {
    auto* type = type_of(function);
    auto* error = wasmtime_linker_define_func_unchecked(linker, kModuleName.data(), kModuleName.size(),
                                                        function.name.data(), function.name.size(), type, call_host,
                                                        const_cast<Function*>(&function), nullptr);
    wasm_functype_delete(type);
    if (error) return fail("internal", "cannot define " + std::string(function.name) + ": " + take_message(error));
  }
  return {};
}

}  // namespace hotcell::wasi
