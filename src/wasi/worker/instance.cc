#include "wasi/worker/instance.h"

namespace hotcell::wasi {
namespace {

wasmtime_error_t* on_epoch(wasmtime_context_t*, void* data, std::uint64_t* delta,
                           wasmtime_update_deadline_kind_t* kind) {
  *kind = WASMTIME_UPDATE_DEADLINE_CONTINUE;
  *delta = 1;
  return static_cast<OnStrike*>(data)->go_on() ? nullptr : wasmtime_error_new("stopped by the clock");
}

CallOutcome outcome_of(wasmtime_error_t* error, wasm_trap_t* trap, const RunContext& run) {
  CallOutcome out;
  if (error) {  // what our own callbacks return arrives as an error, without a trap code
    out.trap = take_message(error);
    out.kind = out.trap.find("stopped by the clock") != std::string::npos ? CallOutcome::Kind::stopped
                                                                          : CallOutcome::Kind::trapped;
    if (out.trap.find("all fuel consumed") != std::string::npos) out.kind = CallOutcome::Kind::out_of_fuel;
  } else if (trap) {
    wasmtime_trap_code_t code;
    if (wasmtime_trap_code(trap, &code)) out.code = code;
    out.trap = take_message(trap);
    out.kind = CallOutcome::Kind::trapped;
    if (out.code == WASMTIME_TRAP_CODE_STACK_OVERFLOW) out.kind = CallOutcome::Kind::stack_overflow;
    if (out.code == WASMTIME_TRAP_CODE_OUT_OF_FUEL) out.kind = CallOutcome::Kind::out_of_fuel;
    if (out.code == WASMTIME_TRAP_CODE_INTERRUPT) out.kind = CallOutcome::Kind::stopped;
  }
  out.trap = last_cause(out.trap);
  if (out.kind == CallOutcome::Kind::trapped && run.host && run.host->stop() != Stop::kNone)
    out.kind = CallOutcome::Kind::stopped;
  return out;
}

}  // namespace

Expected<std::unique_ptr<Instance>> Instance::create(Engine& engine, const Program& program, RunContext& run,
                                                     const Limits& limits, OnStrike& on_strike, int memory_fd,
                                                     std::size_t memory_length) {
  std::unique_ptr<Instance> out(new Instance);
  auto& plan = engine.memory_plan();
  plan.image_fd = memory_fd;
  plan.image_length = memory_length;
  plan.limit = limits.memory_bytes;
  plan.refused = false;
  plan.memory = nullptr;
  run.plan = &plan;
  run.trap_code.reset();
  out->store_.reset(wasmtime_store_new(engine.get(), &run, nullptr));
  // Memory is limited by our own creator, which knows when it refused; the rest by Wasmtime.
  wasmtime_store_limiter(out->store_.get(), -1, limits.table_elements, 1, 16, 1);
  wasmtime_store_epoch_deadline_callback(out->store_.get(), on_epoch, &on_strike, nullptr);
  out->watch_epoch();
  if (engine.metering() == Metering::fuel)
    if (auto filled = out->set_fuel(~0ull >> 1); !filled) return std::unexpected(filled.error());
  wasm_trap_t* trap = nullptr;
  auto* error = wasmtime_instance_pre_instantiate(program.get(), out->context(), &out->instance_, &trap);
  if (error || trap) {
    const auto outcome = outcome_of(error, trap, run);
    run.trap_code = outcome.code;
    return fail(outcome.kind == CallOutcome::Kind::stopped ? "stopped" : "instantiation", outcome.trap);
  }
  out->memory_ = plan.memory ? plan.memory : &out->none_;
  return out;
}

std::optional<wasmtime_func_t> Instance::function(std::string_view name) {
  wasmtime_extern_t item;
  if (!wasmtime_instance_export_get(context(), &instance_, name.data(), name.size(), &item)) return std::nullopt;
  if (item.kind != WASMTIME_EXTERN_FUNC) {
    wasmtime_extern_delete(&item);
    return std::nullopt;
  }
  return item.of.func;
}

std::optional<wasmtime_func_t> Instance::command(std::string_view name) {
  const auto found = function(name);
  if (!found) return std::nullopt;
  auto* type = wasmtime_func_type(context(), &*found);
  const bool plain = wasm_functype_params(type)->size == 0 && wasm_functype_results(type)->size == 0;
  wasm_functype_delete(type);
  return plain ? found : std::nullopt;
}

std::optional<wasmtime_global_t> Instance::global(std::string_view name) {
  wasmtime_extern_t item;
  if (!wasmtime_instance_export_get(context(), &instance_, name.data(), name.size(), &item)) return std::nullopt;
  if (item.kind != WASMTIME_EXTERN_GLOBAL) {
    wasmtime_extern_delete(&item);
    return std::nullopt;
  }
  return item.of.global;
}

CallOutcome Instance::call(const wasmtime_func_t& function, std::initializer_list<std::int32_t> args, bool has_result) {
  wasmtime_val_raw_t values[8] = {};
  std::size_t count = 0;
  for (const auto arg : args) values[count++].i32 = arg;
  wasm_trap_t* trap = nullptr;
  auto* error = wasmtime_func_call_unchecked(context(), &function, values, std::max<std::size_t>(count, 1), &trap);
  auto out = outcome_of(error, trap, *static_cast<RunContext*>(wasmtime_context_get_data(context())));
  if (out.kind == CallOutcome::Kind::returned && has_result) out.value = values[0].i32;
  return out;
}

Expected<void> Instance::set_fuel(std::uint64_t fuel) {
  if (auto* error = wasmtime_context_set_fuel(context(), fuel))
    return fail("internal", "cannot set fuel: " + take_message(error));
  return {};
}

std::uint64_t Instance::fuel_left() const {
  std::uint64_t fuel = 0;
  if (auto* error = wasmtime_context_get_fuel(context(), &fuel)) wasmtime_error_delete(error);
  return fuel;
}

}  // namespace hotcell::wasi
