// A cheap look at a module of a user's, before anything is spent on compiling it: enough to refuse in one plain
// sentence what could never run here. It decodes no instructions; that the module is valid is for Wasmtime to say.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "wasi/binary/outline.h"
#include "wasi/binary/reader.h"

namespace hotcell::wasi {

struct ModuleInfo {
  enum class Kind {
    command,  // exports _start: runs once, from beginning to end
    reactor,  // exports _initialize: to be called into again and again
    neither,
  };
  struct Import {
    std::string module;
    std::string name;
    ExternKind kind{};
    Limits limits;  // of an imported memory or table
    std::size_t offset = 0;
  };

  Kind kind = Kind::neither;
  std::size_t size = 0;
  std::vector<Import> imports;
  std::vector<Limits> memories;  // declared ones
  std::vector<TableType> tables;
  std::string memory_export;  // the name under which memory 0 is exported, "memory" preferred; empty when it is not
  bool has_start_function = false;
  std::uint32_t functions = 0;
  std::uint64_t data_bytes = 0;  // where a segment cannot be decoded: the rest of the section, an upper bound
};

// "module_too_large" past `max_bytes`, "module_invalid" when it is no WebAssembly, a component, or damaged.
Expected<ModuleInfo> inspect_module(std::span<const std::uint8_t> wasm, std::size_t max_bytes = kMaxModuleBytes);

struct ModuleLimits {
  std::uint64_t memory_bytes = std::uint64_t{256} << 20;
  std::uint64_t table_elements = 10'000;
  std::size_t tables = 100;
  std::size_t memories = 1;
  // The functions that the host has in wasi_snapshot_preview1; empty: any name there is accepted.
  std::span<const std::string_view> host_functions = {};
};

// Whether it can be run as a preview 1 command within these limits. "module_unsupported" (no _start, imports that
// nobody provides, 64-bit or shared memory), "memory_limit", "table_limit".
Expected<void> check_command(const ModuleInfo& module, const ModuleLimits& limits);

}  // namespace hotcell::wasi
