// The parts of a module that the other files here share: what it imports, exports and declares. Names are views into
// the module's bytes.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "wasi/binary/reader.h"

namespace hotcell::wasi {

enum class ExternKind : std::uint8_t { function = 0, table = 1, memory = 2, global = 3, tag = 4 };
const char* extern_kind_name(ExternKind kind);

// Of a memory (in pages of 64 KiB) or of a table (in elements).
struct Limits {
  std::uint64_t minimum = 0;
  std::optional<std::uint64_t> maximum;
  bool shared = false;
  bool wide = false;              // 64-bit addresses
  bool custom_page_size = false;  // memories only
  std::size_t offset = 0;         // where it was declared
};

struct TableType {
  std::uint8_t element = 0x70;  // the value type's byte
  Limits limits;
};

struct ImportView {
  std::string_view module;
  std::string_view name;
  ExternKind kind{};
  Limits limits;  // of an imported memory or table
  std::size_t offset = 0;
};

struct ExportView {
  std::string_view name;
  ExternKind kind{};
  std::uint32_t index = 0;
  std::size_t offset = 0;
};

struct Outline {
  std::vector<ImportView> imports;
  std::vector<TableType> tables;  // declared ones; imported ones are in `imports`
  std::vector<Limits> memories;   // likewise
  std::vector<ExportView> exports;
  std::optional<std::uint32_t> start;
  std::size_t start_offset = 0;
  std::uint32_t functions = 0;  // declared
  bool tables_complete = true;  // false: a table's initial value could not be decoded, later tables are missing
  bool has_tags = false;
  std::size_t tags_offset = 0;
  // Bodies of sections that not every user wants decoded.
  std::optional<Reader> globals, elements, code, data;

  std::uint32_t count_imports(ExternKind kind) const;
  const ExportView* find_export(ExternKind kind, std::uint32_t index) const;
  const ExportView* find_export(std::string_view name) const;
};

// Refuses with "module_invalid" what cannot be read, and more than 100000 imports or exports.
Expected<Outline> read_outline(std::span<const std::uint8_t> wasm);

// One declaration at the reader's place.
Limits read_limits(Reader& reader);
// False when its element type or initial value is not known; reads no further then.
bool read_table(Reader& reader, TableType& out);
// A value type, reference types with a heap type included.
std::uint8_t read_value_type(Reader& reader);

}  // namespace hotcell::wasi
