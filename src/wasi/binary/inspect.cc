#include "wasi/binary/inspect.h"

#include <algorithm>

#include "wasi/binary/instruction.h"

namespace hotcell::wasi {
namespace {

constexpr std::string_view kPreview1 = "wasi_snapshot_preview1";
constexpr std::uint64_t kPageBytes = 65536;

std::uint64_t count_data_bytes(Reader reader) {
  std::uint64_t total = 0;
  for (std::uint32_t segments = reader.count(); segments > 0 && reader.ok(); --segments) {
    const std::size_t rest = reader.left();
    const std::uint32_t flags = reader.u32();
    if (flags == 2) reader.u32();
    if (flags > 2 || (flags != 1 && !skip_const_expression(reader))) return total + rest;
    const std::uint32_t size = reader.u32();
    reader.skip(size);
    if (reader.ok()) total += size;
  }
  return total;
}

std::string import_text(const ModuleInfo::Import& import) {
  return printable(import.module, 60) + "." + printable(import.name, 60) +
         (import.kind == ExternKind::function ? "" : std::string(" (") + extern_kind_name(import.kind) + ")");
}

bool is_provided(const ModuleInfo::Import& import, const ModuleLimits& limits) {
  if (import.module != kPreview1 || import.kind != ExternKind::function) return false;
  return limits.host_functions.empty() ||
         std::ranges::find(limits.host_functions, import.name) != limits.host_functions.end();
}

std::string hint_for_import(const ModuleInfo::Import& import) {
  if (import.module == "wasi_unstable")
    return "it was built for WASI preview 0; build it for preview 1 (wasm32-wasip1)";
  if (import.module.starts_with("wasi:"))
    return "it was built for WASI preview 2; build it for preview 1 (wasm32-wasip1)";
  if (import.module == "wasi" && import.name == "thread-spawn")
    return "threads are not available; build it without them (wasm32-wasip1)";
  if (import.module == "env" || import.module == "go" || import.module.starts_with("wbg") ||
      import.module.starts_with("__wbindgen") || import.module == "a")
    return "it seems to be built for a browser or another host; build it for wasm32-wasip1";
  return "only functions of wasi_snapshot_preview1 can be imported";
}

Expected<void> check_imports(const ModuleInfo& module, const ModuleLimits& limits) {
  constexpr std::size_t kShown = 5;
  const ModuleInfo::Import* first = nullptr;
  std::size_t unknown = 0;
  std::string list;
  for (const auto& import : module.imports) {
    if (is_provided(import, limits)) continue;
    if (!first) first = &import;
    if (unknown < kShown) list += (unknown ? ", " : "") + import_text(import);
    ++unknown;
  }
  if (!first) return {};
  if (unknown > kShown) list += " and " + std::to_string(unknown - kShown) + " more";
  return fail(
      "module_unsupported",
      "the module imports what is not provided here: " + list + " (the first at " + hex_offset(first->offset) + ")",
      hint_for_import(*first));
}

Expected<void> check_memories(const ModuleInfo& module, const ModuleLimits& limits) {
  if (module.memories.size() > limits.memories)
    return fail("module_unsupported", "the module declares " + std::to_string(module.memories.size()) +
                                          " memories (the first at " + hex_offset(module.memories[0].offset) +
                                          "); the limit is " + std::to_string(limits.memories));
  for (const auto& memory : module.memories) {
    const std::string where = " at " + hex_offset(memory.offset);
    if (memory.shared)
      return fail("module_unsupported",
                  "the module's memory" + where + " is shared between threads, and there are none",
                  "build it without threads");
    if (memory.wide)
      return fail("module_unsupported",
                  "the module's memory" + where + " has 64-bit addresses; preview 1 has 32-bit ones",
                  "build it for wasm32-wasip1");
    if (memory.custom_page_size)
      return fail("module_unsupported", "the module's memory" + where + " has a page size of its own");
    // Divided, not multiplied: the minimum is any 64-bit number that the module cares to claim.
    if (memory.minimum > limits.memory_bytes / kPageBytes)
      return fail("memory_limit",
                  "the module's memory" + where + " starts with " + std::to_string(memory.minimum) +
                      " pages of 64 KiB; the limit is " + std::to_string(limits.memory_bytes / kPageBytes) + " (" +
                      std::to_string(limits.memory_bytes >> 20) + " MiB)",
                  "raise the memory limit, or link the module with a smaller initial memory");
  }
  return {};
}

Expected<void> check_tables(const ModuleInfo& module, const ModuleLimits& limits) {
  if (module.tables.size() > limits.tables)
    return fail("table_limit", "the module declares " + std::to_string(module.tables.size()) +
                                   " tables (the first at " + hex_offset(module.tables[0].limits.offset) +
                                   "); the limit is " + std::to_string(limits.tables));
  for (const auto& table : module.tables)
    if (table.limits.minimum > limits.table_elements)
      return fail("table_limit",
                  "the module's table at " + hex_offset(table.limits.offset) + " starts with " +
                      std::to_string(table.limits.minimum) + " elements; the limit is " +
                      std::to_string(limits.table_elements),
                  "raise the limit of table elements");
  return {};
}

}  // namespace

Expected<ModuleInfo> inspect_module(std::span<const std::uint8_t> wasm, std::size_t max_bytes) {
  if (wasm.size() > max_bytes)
    return fail("module_too_large",
                "the module has " + std::to_string(wasm.size()) + " bytes; the limit is " + std::to_string(max_bytes),
                "make it smaller, for instance with wasm-opt -Os or by stripping debug information");
  const auto outline = read_outline(wasm);
  if (!outline) return std::unexpected(outline.error());

  ModuleInfo info;
  info.size = wasm.size();
  info.functions = outline->functions;
  info.has_start_function = outline->start.has_value();
  info.memories = outline->memories;
  info.tables = outline->tables;
  for (const auto& import : outline->imports)
    info.imports.push_back(
        {std::string(import.module), std::string(import.name), import.kind, import.limits, import.offset});
  const auto exports_function = [&](std::string_view name) {
    const ExportView* found = outline->find_export(name);
    return found && found->kind == ExternKind::function;
  };
  if (exports_function("_start")) {
    info.kind = ModuleInfo::Kind::command;
  } else if (exports_function("_initialize")) {
    info.kind = ModuleInfo::Kind::reactor;
  }
  if (const ExportView* usual = outline->find_export("memory"); usual && usual->kind == ExternKind::memory) {
    info.memory_export = usual->name;
  } else if (const ExportView* other = outline->find_export(ExternKind::memory, 0)) {
    info.memory_export = other->name;
  }
  if (outline->data) info.data_bytes = count_data_bytes(*outline->data);
  return info;
}

Expected<void> check_command(const ModuleInfo& module, const ModuleLimits& limits) {
  if (module.kind == ModuleInfo::Kind::reactor)
    return fail("module_unsupported",
                "the module is a reactor (it exports _initialize and no _start), so there is nothing to run",
                "build it as a command: with a main function, without -mexec-model=reactor");
  if (module.kind == ModuleInfo::Kind::neither)
    return fail("module_unsupported", "the module exports no function named _start, so there is nothing to run",
                "build it as a WASI command (wasm32-wasip1), or add (export \"_start\") to the text");
  if (auto checked = check_imports(module, limits); !checked) return checked;
  if (auto checked = check_memories(module, limits); !checked) return checked;
  return check_tables(module, limits);
}

}  // namespace hotcell::wasi
