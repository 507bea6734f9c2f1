#include "wasi/binary/outline.h"

#include <algorithm>

#include "wasi/binary/instruction.h"

namespace hotcell::wasi {
namespace {

constexpr std::uint32_t kMaxEntries = 100'000;

// Kind and type of an import.
void read_import_type(Reader& reader, ImportView& out) {
  constexpr std::uint8_t kExactFunction = 0x20;  // a function whose type must match exactly; Wasmtime's parser takes it
  const std::size_t at = reader.offset();
  const std::uint8_t kind = reader.u8();
  if (kind > 4 && kind != kExactFunction) return reader.fail_at("an import is of an unknown kind", at);
  out.kind = kind == kExactFunction ? ExternKind::function : static_cast<ExternKind>(kind);
  switch (out.kind) {
    case ExternKind::function:
      reader.u32();
      return;
    case ExternKind::table:
      read_value_type(reader);
      out.limits = read_limits(reader);
      return;
    case ExternKind::memory:
      out.limits = read_limits(reader);
      return;
    case ExternKind::global:
      read_value_type(reader);
      reader.u8();
      return;
    case ExternKind::tag:
      reader.u8();
      reader.u32();
      return;
  }
}

// Besides the plain form there are two compact ones (an empty name, then a byte that is no kind): many names of one
// module, each with its type, or all of one type.
void read_imports(Reader& reader, std::vector<ImportView>& out) {
  constexpr std::uint8_t kEachWithType = 0x7f;
  constexpr std::uint8_t kAllOfOneType = 0x7e;
  for (std::uint32_t entries = reader.count(kMaxEntries); entries > 0 && reader.ok(); --entries) {
    ImportView import;
    import.offset = reader.offset();
    import.module = reader.name();
    import.name = reader.name();
    const std::uint8_t form = reader.peek();
    if (!import.name.empty() || (form != kEachWithType && form != kAllOfOneType)) {
      read_import_type(reader, import);
      out.push_back(import);
      continue;
    }
    reader.u8();
    if (form == kAllOfOneType) read_import_type(reader, import);
    const std::size_t count_offset = reader.offset();
    const std::uint32_t names = reader.count(kMaxEntries);
    if (out.size() + names > kMaxEntries) reader.fail_at("it has more imports than any engine accepts", count_offset);
    for (std::uint32_t i = 0; i < names && reader.ok(); ++i) {
      import.offset = reader.offset();
      import.name = reader.name();
      if (form == kEachWithType) read_import_type(reader, import);
      out.push_back(import);
    }
  }
}

void read_export(Reader& reader, ExportView& out) {
  out.offset = reader.offset();
  out.name = reader.name();
  const std::size_t kind_offset = reader.offset();
  const std::uint8_t kind = reader.u8();
  if (kind > 4) reader.fail_at("an export is of an unknown kind", kind_offset);
  out.kind = static_cast<ExternKind>(kind);
  out.index = reader.u32();
}

template <class Item>
void read_list(Reader& reader, std::vector<Item>& out, void (*read)(Reader&, Item&)) {
  const std::uint32_t items = reader.count(kMaxEntries);
  out.resize(items);
  for (auto& item : out) {
    if (!reader.ok()) return;
    read(reader, item);
  }
}

Expected<void> read_section(const Section& section, Outline& out) {
  Reader reader = section.body;
  bool whole = true;  // whether the section was decoded to its end, so that bytes left over are an error
  switch (section.id) {
    case SectionId::import:
      read_imports(reader, out.imports);
      break;
    case SectionId::function:
      out.functions = reader.count();
      whole = false;
      break;
    case SectionId::table: {
      const std::uint32_t tables = reader.count(kMaxEntries);
      for (std::uint32_t i = 0; i < tables && reader.ok() && out.tables_complete; ++i)
        out.tables_complete = read_table(reader, out.tables.emplace_back());
      whole = out.tables_complete;
      break;
    }
    case SectionId::memory:
      read_list(reader, out.memories, +[](Reader& r, Limits& limits) { limits = read_limits(r); });
      break;
    case SectionId::export_:
      read_list(reader, out.exports, read_export);
      break;
    case SectionId::start:
      out.start = reader.u32();
      out.start_offset = section.offset;
      break;
    case SectionId::global:
      out.globals = reader;
      whole = false;
      break;
    case SectionId::element:
      out.elements = reader;
      whole = false;
      break;
    case SectionId::code:
      out.code = reader;
      whole = false;
      break;
    case SectionId::data:
      out.data = reader;
      whole = false;
      break;
    case SectionId::tag:
      out.has_tags = true;
      out.tags_offset = section.offset;
      whole = false;
      break;
    case SectionId::custom:
    case SectionId::type:
    case SectionId::data_count:
      whole = false;
      break;
  }
  if (reader.ok() && whole && !reader.done()) reader.fail_at("a section is longer than its content", reader.offset());
  if (!reader.ok()) return reader.error();
  return {};
}

}  // namespace

const char* extern_kind_name(ExternKind kind) {
  switch (kind) {
    case ExternKind::function:
      return "function";
    case ExternKind::table:
      return "table";
    case ExternKind::memory:
      return "memory";
    case ExternKind::global:
      return "global";
    case ExternKind::tag:
      return "tag";
  }
  return "unknown";
}

std::uint32_t Outline::count_imports(ExternKind kind) const {
  return static_cast<std::uint32_t>(std::ranges::count(imports, kind, &ImportView::kind));
}

const ExportView* Outline::find_export(ExternKind kind, std::uint32_t index) const {
  const auto at = std::ranges::find_if(exports, [&](const auto& e) { return e.kind == kind && e.index == index; });
  return at == exports.end() ? nullptr : &*at;
}

const ExportView* Outline::find_export(std::string_view name) const {
  const auto at = std::ranges::find(exports, name, &ExportView::name);
  return at == exports.end() ? nullptr : &*at;
}

Limits read_limits(Reader& reader) {
  Limits out;
  out.offset = reader.offset();
  const std::uint8_t flags = reader.u8();
  if (flags > 0x0f) reader.fail_at("a memory or table has unknown flags", out.offset);
  out.shared = (flags & 2) != 0;
  out.wide = (flags & 4) != 0;
  out.custom_page_size = (flags & 8) != 0;
  out.minimum = reader.u64();
  if (flags & 1) out.maximum = reader.u64();
  if (out.custom_page_size) reader.u32();
  return out;
}

std::uint8_t read_value_type(Reader& reader) {
  const std::size_t at = reader.offset();
  const std::uint8_t type = reader.u8();
  if (type == 0x63 || type == 0x64) {
    reader.s33();
  } else if (type < 0x65 || type > 0x7f) {
    reader.fail_at("a value type is unknown", at);
  }
  return type;
}

bool read_table(Reader& reader, TableType& out) {
  bool initialised = false;
  if (reader.peek() == 0x40) {  // 0x40 0x00: an expression for the initial value follows the type
    reader.u8();
    const std::size_t at = reader.offset();
    if (reader.u8() != 0) reader.fail_at("a table has an unknown form", at);
    initialised = true;
  }
  out.element = read_value_type(reader);
  out.limits = read_limits(reader);
  return !initialised || skip_const_expression(reader);
}

Expected<Outline> read_outline(std::span<const std::uint8_t> wasm) {
  auto sections = SectionReader::open(wasm);
  if (!sections) return std::unexpected(sections.error());
  Outline out;
  for (;;) {
    auto section = sections->next();
    if (!section) return std::unexpected(section.error());
    if (!*section) return out;
    if (auto read = read_section(**section, out); !read) return std::unexpected(read.error());
  }
}

}  // namespace hotcell::wasi
