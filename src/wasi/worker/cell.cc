#include "wasi/worker/cell.h"

#include <sys/mman.h>

#include <cstring>

namespace hotcell::wasi {
namespace {

// Past this many private pages, giving all of them back is cheaper than copying them again after every later run.
constexpr std::size_t kKeepPages = 512;
constexpr std::size_t kPage = 4096;
constexpr std::uint32_t kStackMargin = 64u << 10;

// The structure at Manifest::report_address.
struct RawReport {
  std::uint32_t flags, line, name, name_length, message, message_length, traceback, traceback_length, value,
      value_length;
};

wasmtime_val_t to_value(const GlobalValue& global) {
  wasmtime_val_t out{};
  out.kind = global.is_64 ? WASMTIME_I64 : WASMTIME_I32;
  if (global.is_64)
    out.of.i64 = global.value;
  else
    out.of.i32 = static_cast<std::int32_t>(global.value);
  return out;
}

}  // namespace

Expected<std::unique_ptr<Cell>> Cell::create(Engine& engine, const Image& image, RunContext& run, StopClock& clock) {
  std::unique_ptr<Cell> out(new Cell(engine, image, clock));
  Instance::Limits limits;
  auto instance =
      Instance::create(engine, image.program(), run, limits, *out, image.memory_fd(), image.pristine().size());
  if (!instance) return std::unexpected(instance.error());
  out->instance_ = std::move(*instance);
  auto pages = PrivatePages::open();
  if (!pages) return std::unexpected(pages.error());
  out->pages_.emplace(std::move(*pages));
  const auto request = out->instance_->function("hc_request"), start = out->instance_->function("hc_run");
  if (!request || !start) return fail("image_broken", "the image does not export hc_request and hc_run");
  out->request_ = *request;
  out->run_ = *start;
  for (const auto& global : image.manifest().globals) {
    const auto found = out->instance_->global(global.name);
    if (!found) return fail("image_broken", "the image does not export its global " + global.name);
    out->globals_.push_back(*found);
  }
  // Globals start with the values of the module, not of the image.
  if (auto clean = out->reset(); !clean) return std::unexpected(clean.error());
  return out;
}

bool Cell::go_on() {
  if (clock_.strikes() >= 2) return false;
  if (clock_.strikes() == 0) return true;  // a bump that was meant for an earlier run
  // Ask the language to stop by itself, so that the program may say where it was and clean up.
  const auto& words = image_.manifest().break_words;
  const auto memory = instance_->memory();
  const std::uint32_t one = 1;
  for (const auto& [at, value] : {std::pair(words[0], words[3]), {words[1], one}, {words[2], one}})
    if (at && at + sizeof value <= memory.size()) std::memcpy(memory.data() + at, &value, sizeof value);
  clock_.extend(kGrace);
  return true;
}

CallOutcome Cell::run(std::string_view request, std::size_t memory_limit) {
  engine_.memory_plan().limit = std::max(memory_limit, image_.pristine().size());
  engine_.memory_plan().refused = false;
  instance_->watch_epoch();
  const auto size = static_cast<std::int32_t>(request.size());
  auto buffer = instance_->call(request_, {size}, true);
  if (buffer.kind != CallOutcome::Kind::returned) return buffer;
  const auto at = static_cast<std::uint32_t>(buffer.value);
  const auto memory = instance_->memory();
  if (at == 0 || at > memory.size() || request.size() > memory.size() - at) {
    engine_.memory_plan().refused = true;  // not even the program itself fits
    buffer.kind = CallOutcome::Kind::trapped;
    buffer.trap = "no memory for the program itself";
    return buffer;
  }
  std::memcpy(memory.data() + at, request.data(), request.size());
  auto outcome = instance_->call(run_, {buffer.value, size}, true);
  if (outcome.code == WASMTIME_TRAP_CODE_MEMORY_OUT_OF_BOUNDS && stack_pointer_ran_out())
    outcome.kind = CallOutcome::Kind::stack_overflow;
  return outcome;
}

// The interpreter's own stack lies at the bottom of its memory and grows down: when it is used up, the next access is
// out of bounds, and the stack pointer shows why.
bool Cell::stack_pointer_ran_out() const {
  const auto& known = image_.manifest().globals;
  for (std::size_t i = 0; i < known.size(); ++i) {
    if (known[i].name != "__stack_pointer" || known[i].is_64) continue;
    wasmtime_val_t now;
    wasmtime_global_get(instance_->context(), &globals_[i], &now);
    const auto at = static_cast<std::uint32_t>(now.of.i32);
    return at > static_cast<std::uint32_t>(known[i].value) || at < kStackMargin;
  }
  return false;
}

GuestReport Cell::report(std::size_t cap) const {
  GuestReport out;
  const auto memory = instance_->memory();
  RawReport raw;
  const std::size_t at = image_.manifest().report_address;
  if (at == 0 || at > memory.size() || memory.size() - at < sizeof raw) return out;
  std::memcpy(&raw, memory.data() + at, sizeof raw);
  out.uncaught = raw.flags & 1;
  out.line = raw.line;
  // Guest memory: any pointer and any length may stand there.
  const auto text = [&](std::uint32_t pointer, std::uint32_t length) {
    if (pointer > memory.size()) return std::string();
    std::size_t kept = std::min<std::size_t>(length, memory.size() - pointer);
    if (kept > cap) {
      kept = cap;
      out.cut = true;
    }
    return std::string(reinterpret_cast<const char*>(memory.data()) + pointer, kept);
  };
  if (out.uncaught) {
    out.name = text(raw.name, raw.name_length);
    out.message = text(raw.message, raw.message_length);
    out.traceback = text(raw.traceback, raw.traceback_length);
  }
  return out;
}

void Cell::rest() {
  const auto memory = instance_->memory();
  if (madvise(memory.data(), memory.size(), MADV_DONTNEED) == 0) held_pages_ = 0;
}

Expected<Cell::Reset> Cell::reset() {
  const auto memory = instance_->memory();
  const auto pristine = image_.pristine();
  if (memory.size() != pristine.size()) return fail("grown", "the memory has grown");
  auto runs = pages_->find(memory.data(), memory.size());
  if (!runs) return std::unexpected(runs.error());
  Reset out;
  for (const auto& run : **runs) out.private_pages += run.length / kPage;
  held_pages_ = out.private_pages;
  if (out.private_pages > kKeepPages) {
    if (madvise(memory.data(), memory.size(), MADV_DONTNEED)) return fail_errno("MADV_DONTNEED failed");
    held_pages_ = 0;
  } else {
    const std::size_t left_out = sabotage_ == Sabotage::skip_last_run && !(*runs)->empty() ? 1 : 0;
    for (const auto& run : std::span(**runs).first((*runs)->size() - left_out))
      std::memcpy(run.start, pristine.data() + (run.start - memory.data()), run.length);
  }
  if (sabotage_ != Sabotage::skip_globals)
    for (std::size_t i = 0; i < globals_.size(); ++i) {
      const auto value = to_value(image_.manifest().globals[i]);
      if (auto* error = wasmtime_global_set(instance_->context(), &globals_[i], &value))
        return fail("internal", "cannot restore a global: " + take_message(error));
    }
  return out;
}

}  // namespace hotcell::wasi
