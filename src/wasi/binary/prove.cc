#include "wasi/binary/prove.h"

#include <unordered_map>

#include "wasi/binary/instruction.h"
#include "wasi/binary/outline.h"
#include "wasi/binary/reader.h"

namespace hotcell::wasi {
namespace {

std::unexpected<Error> refuse(const std::string& what, std::size_t offset, const std::string& why,
                              std::string hint = {}) {
  return fail("image_not_resettable",
              "the module cannot be reset in place: " + what + " at " + hex_offset(offset) + why, std::move(hint));
}

// Null when the instruction leaves tables and segments as they are.
const char* forbidden_name(std::uint32_t opcode) {
  switch (opcode) {
    case op::kTableSet:
      return "table.set";
    case op::kTableGrow:
      return "table.grow";
    case op::kTableFill:
      return "table.fill";
    case op::kTableInit:
      return "table.init";
    case op::kTableCopy:
      return "table.copy";
    case op::kElemDrop:
      return "elem.drop";
    case op::kDataDrop:
      return "data.drop";
    case op::kMemoryInit:
      return "memory.init";
    default:
      return nullptr;
  }
}

std::string opcode_text(std::uint32_t opcode) {
  std::string text = hex_offset(opcode > 0xff ? opcode >> 16 : opcode).substr(7);  // without "offset "
  if (opcode > 0xff) text += " " + hex_offset(opcode & 0xffff).substr(7);
  return text;
}

Expected<void> check_imports(const Outline& outline) {
  for (const auto& import : outline.imports)
    if (import.kind != ExternKind::function)
      return refuse(std::string("imported ") + extern_kind_name(import.kind) + " \"" + printable(import.module) + "." +
                        printable(import.name) + "\"",
                    import.offset, " is state that a reset does not reach",
                    "define it inside the module and export it");
  return {};
}

Expected<void> check_memory(const Outline& outline, ResetProof& proof) {
  if (outline.memories.empty())
    return fail("image_not_resettable", "the module cannot be reset in place: it declares no memory");
  if (outline.memories.size() > 1)
    return refuse("a second memory (of " + std::to_string(outline.memories.size()) + ")", outline.memories[1].offset,
                  "; an image has one");
  const Limits& memory = outline.memories[0];
  if (memory.shared) return refuse("a shared memory", memory.offset, "; threads could write to it during a reset");
  if (memory.wide) return refuse("a 64-bit memory", memory.offset, "; images are of 32-bit modules");
  if (memory.custom_page_size)
    return refuse("a memory with a page size of its own", memory.offset, "; pages are 64 KiB");
  const ExportView* exported = outline.find_export(ExternKind::memory, 0);
  if (!exported)
    return refuse("a memory that is not exported", memory.offset, "; the host could not restore it",
                  "export it as \"memory\"");
  proof.memory_pages_minimum = memory.minimum;
  proof.memory_pages_maximum = memory.maximum;
  proof.memory_export = exported->name;
  return {};
}

Expected<void> check_tables(const Outline& outline, ResetProof& proof) {
  if (!outline.tables_complete)
    return refuse("a table whose initial value is an expression that is not known", outline.tables.back().limits.offset,
                  "");
  for (std::uint32_t i = 0; i < outline.tables.size(); ++i) {
    const auto& table = outline.tables[i];
    if (table.element != 0x70 && table.element != 0x6f)
      return refuse("a table of a type that is not known", table.limits.offset, "");
    if (table.limits.shared || table.limits.wide || table.limits.custom_page_size)
      return refuse("a shared or 64-bit table", table.limits.offset, "");
    const ExportView* exported = outline.find_export(ExternKind::table, i);
    proof.tables.push_back({value_type_name(table.element), table.limits.minimum, table.limits.maximum,
                            exported ? std::string(exported->name) : std::string()});
  }
  return {};
}

Expected<void> check_globals(const Outline& outline, ResetProof& proof) {
  if (!outline.globals) return {};
  std::unordered_map<std::uint32_t, const ExportView*> exports;
  for (const auto& e : outline.exports)
    if (e.kind == ExternKind::global) exports.try_emplace(e.index, &e);

  Reader reader = *outline.globals;
  const std::uint32_t globals = reader.count();
  for (std::uint32_t index = 0; index < globals && reader.ok(); ++index) {
    const std::size_t at = reader.offset();
    const std::string which = "global " + std::to_string(index);
    const std::uint8_t type = read_value_type(reader);
    const std::uint8_t mutability = reader.u8();
    if (!reader.ok()) break;
    if (!is_plain_value_type(type)) return refuse(which + " of a type that is not known", at, "");
    if (mutability > 1) return refuse(which + " with flags that are not known", at, "");
    if (!skip_const_expression(reader)) return refuse(which + " with an initial value that is not known", at, "");
    if (mutability == 0) continue;
    if (type == 0x70 || type == 0x6f)
      return refuse("mutable " + which + " of type " + value_type_name(type), at,
                    "; a reference cannot be stored in an image");
    const auto exported = exports.find(index);
    if (exported == exports.end())
      return refuse("mutable " + which + " (" + value_type_name(type) + ") that is not exported", at,
                    "; the host could not restore it", "link with --export for it");
    proof.globals.push_back({std::string(exported->second->name), value_type_name(type), index});
  }
  if (reader.ok() && !reader.done()) reader.fail_at("the global section is longer than its content", reader.offset());
  if (!reader.ok()) return reader.error();
  return {};
}

// All eight forms: bit 0 passive or declarative, bit 1 declarative (with bit 0) or an explicit table (without), bit 2
// expressions instead of function indices.
Expected<void> check_elements(const Outline& outline, ResetProof& proof) {
  if (!outline.elements) return {};
  Reader reader = *outline.elements;
  const std::uint32_t segments = reader.count();
  proof.element_segments = segments;
  for (std::uint32_t i = 0; i < segments && reader.ok(); ++i) {
    const std::size_t at = reader.offset();
    const std::string which = "element segment " + std::to_string(i);
    const std::uint32_t flags = reader.u32();
    if (!reader.ok()) break;
    if (flags > 7) return refuse(which + " of a form that is not known", at, "");
    const bool active = (flags & 1) == 0;
    if (!active && !(flags & 2))
      return refuse("passive " + which, at, "; it exists to be copied into a table while running");
    if (active) {
      if (flags & 2) reader.u32();  // the table
      if (!skip_const_expression(reader)) return refuse(which + " with a place that is not known", at, "");
    }
    const bool expressions = (flags & 4) != 0;
    if (flags & 3) {  // the kind or the type, left out in the forms 0 and 4
      const std::uint8_t type = reader.u8();
      if (reader.ok() && (expressions ? type != 0x70 && type != 0x6f : type != 0))
        return refuse(which + " of a type that is not known", at, "");
    }
    for (std::uint32_t items = reader.count(); items > 0 && reader.ok(); --items) {
      if (!expressions) {
        reader.u32();
      } else if (!skip_const_expression(reader)) {
        return refuse(which + " with an item that is not known", at, "");
      }
    }
  }
  if (reader.ok() && !reader.done()) reader.fail_at("the element section is longer than its content", reader.offset());
  if (!reader.ok()) return reader.error();
  return {};
}

Expected<void> check_data(const Outline& outline, ResetProof& proof) {
  if (!outline.data) return {};
  Reader reader = *outline.data;
  const std::uint32_t segments = reader.count();
  proof.data_segments = segments;
  for (std::uint32_t i = 0; i < segments && reader.ok(); ++i) {
    const std::size_t at = reader.offset();
    const std::string which = "data segment " + std::to_string(i);
    const std::uint32_t flags = reader.u32();
    if (!reader.ok()) break;
    if (flags == 1)
      return refuse("passive " + which, at, "; it exists to be copied into memory while running",
                    "link without --shared-memory");
    if (flags > 2) return refuse(which + " of a form that is not known", at, "");
    if (flags == 2) reader.u32();  // the memory: there is only one
    if (!skip_const_expression(reader)) return refuse(which + " with a place that is not known", at, "");
    reader.skip(reader.u32());
  }
  if (reader.ok() && !reader.done()) reader.fail_at("the data section is longer than its content", reader.offset());
  if (!reader.ok()) return reader.error();
  return {};
}

Expected<void> check_body(Reader body, std::uint32_t function, ResetProof& proof) {
  const auto in_function = [&] { return " in function " + std::to_string(function); };
  for (std::uint32_t groups = body.count(); groups > 0 && body.ok(); --groups) {
    const std::size_t at = body.offset();
    body.u32();
    const std::uint8_t type = body.u8();
    if (body.ok() && !is_plain_value_type(type))
      return refuse("a local of a type that is not known", at, in_function());
  }
  std::uint64_t depth = 1;
  Instruction instruction;
  while (depth > 0 && body.ok()) {
    const std::size_t at = body.offset();
    if (!decode_instruction(body, instruction)) {
      if (!body.ok()) break;
      return refuse("instruction " + opcode_text(instruction.opcode) + " that is not known", at,
                    in_function() + " (threads, exceptions, gc and the like can hide state)");
    }
    ++proof.instructions;
    if (const char* name = forbidden_name(instruction.opcode))
      return refuse(name, at, in_function() + " changes state that a reset does not reach");
    if (instruction.opcode == op::kMemoryGrow) proof.grows_memory = true;
    if (instruction.nesting > 0) ++depth;
    if (instruction.nesting < 0) --depth;
  }
  if (body.ok() && !body.done()) body.fail_at("a function goes on after its end", body.offset());
  if (!body.ok()) return body.error();
  return {};
}

Expected<void> check_code(const Outline& outline, ResetProof& proof) {
  const std::uint32_t imported = outline.count_imports(ExternKind::function);
  Reader reader = outline.code.value_or(Reader());
  const std::uint32_t functions = outline.code ? reader.count() : 0;
  if (reader.ok() && functions != outline.functions)
    reader.fail_at("the number of function bodies differs from the number declared", reader.offset());
  proof.functions = functions;
  for (std::uint32_t i = 0; i < functions && reader.ok(); ++i) {
    const std::uint32_t size = reader.u32();
    const Reader body = reader.sub(size);
    if (!reader.ok()) break;
    if (auto checked = check_body(body, imported + i, proof); !checked) return checked;
  }
  if (reader.ok() && !reader.done()) reader.fail_at("the code section is longer than its content", reader.offset());
  if (!reader.ok()) return reader.error();
  return {};
}

std::string range_text(std::uint64_t minimum, std::optional<std::uint64_t> maximum) {
  return std::to_string(minimum) + ".." + (maximum ? std::to_string(*maximum) : std::string("any"));
}

}  // namespace

Expected<ResetProof> prove_resettable(std::span<const std::uint8_t> wasm) {
  const auto outline = read_outline(wasm);
  if (!outline) return std::unexpected(outline.error());
  ResetProof proof;
  if (outline->start)
    return refuse("a start function (" + std::to_string(*outline->start) + ")", outline->start_offset,
                  " would run again over a finished image", "call it from an exported _initialize instead");
  if (outline->has_tags) return refuse("exception tags", outline->tags_offset, "; exceptions are not known here");
  if (auto checked = check_imports(*outline); !checked) return std::unexpected(checked.error());
  for (const auto check : {check_memory, check_tables, check_globals, check_elements, check_data, check_code})
    if (auto checked = check(*outline, proof); !checked) return std::unexpected(checked.error());
  return proof;
}

std::string ResetProof::text() const {
  std::string out = "resettable: " + std::to_string(instructions) + " instructions in " + std::to_string(functions) +
                    " functions change only memory \"" + printable(memory_export) + "\" (" +
                    range_text(memory_pages_minimum, memory_pages_maximum) + " pages) and ";
  out += globals.empty() ? "no globals" : globals.size() == 1 ? "global " : "globals ";
  for (std::size_t i = 0; i < globals.size(); ++i)
    out += (i ? ", " : "") + printable(globals[i].export_name) + " (" + globals[i].type + ")";
  out += "; fixed tables: ";
  if (tables.empty()) out += "none";
  for (std::size_t i = 0; i < tables.size(); ++i)
    out += (i ? ", " : "") + tables[i].type + " " + range_text(tables[i].minimum, tables[i].maximum);
  return out;
}

}  // namespace hotcell::wasi
