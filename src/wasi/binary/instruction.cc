#include "wasi/binary/instruction.h"

#include <algorithm>
#include <array>

namespace hotcell::wasi {
namespace {

// Alignment, and the memory's index when bit 6 says that there is one, then the offset (64 bits wide for memory64,
// whose 32-bit form is the same bytes).
bool memory_argument(Reader& reader) {
  const std::uint32_t flags = reader.u32();
  if ((flags & ~0x40u) > 4) return false;  // bits 4 and 5 belong to proposals that add further immediates
  if (flags & 0x40) reader.u32();
  reader.u64();
  return true;
}

bool block_type(Reader& reader) {
  const std::uint8_t first = reader.peek();
  if (first == 0x40 || is_plain_value_type(first)) {
    reader.u8();
    return true;
  }
  return reader.s33() >= 0;  // the index of a function type
}

bool decode_fc(Reader& reader, Instruction& out) {
  const std::uint32_t sub = reader.u32();
  out.opcode = 0xfc0000 | (sub & 0xffff);
  if (sub > 0xffff) return false;
  if (sub <= 7) return true;                    // saturating conversions
  if (sub >= 0x13 && sub <= 0x16) return true;  // wide arithmetic
  switch (out.opcode) {
    case op::kMemoryInit:
    case op::kTableInit:  // segment, then memory or table
    case op::kTableCopy:
    case 0xfc000a:  // memory.copy
      out.index = reader.u32();
      reader.u32();
      return true;
    case op::kDataDrop:
    case op::kElemDrop:
    case op::kTableGrow:
    case op::kTableFill:
    case 0xfc000b:  // memory.fill
    case 0xfc0010:  // table.size
      out.index = reader.u32();
      return true;
    default:
      return false;
  }
}

bool decode_fd(Reader& reader, Instruction& out) {
  // Numbers inside the SIMD range that were never given to an instruction.
  constexpr std::array<std::uint8_t, 20> kUnassigned = {0x9a, 0xa2, 0xa5, 0xa6, 0xaf, 0xb0, 0xb2, 0xb3, 0xb4, 0xbb,
                                                        0xc2, 0xc5, 0xc6, 0xcf, 0xd0, 0xd2, 0xd3, 0xd4, 0xe2, 0xee};
  const std::uint32_t sub = reader.u32();
  out.opcode = 0xfd0000 | (sub & 0xffff);
  if (sub > 0x113) return false;  // 0x100-0x113: relaxed SIMD
  if (sub <= 0xff && std::ranges::find(kUnassigned, static_cast<std::uint8_t>(sub)) != kUnassigned.end()) return false;
  if (sub <= 0x0b || sub == 0x5c || sub == 0x5d) return memory_argument(reader);  // whole loads and stores
  if (sub == 0x0c || sub == 0x0d) {                                               // v128.const, i8x16.shuffle
    reader.skip(16);
  } else if (sub >= 0x15 && sub <= 0x22) {  // extract_lane, replace_lane
    reader.u8();
  } else if (sub >= 0x54 && sub <= 0x5b) {  // load_lane, store_lane
    if (!memory_argument(reader)) return false;
    reader.u8();
  }
  return true;
}

}  // namespace

bool is_plain_value_type(std::uint8_t byte) { return (byte >= 0x7b && byte <= 0x7f) || byte == 0x70 || byte == 0x6f; }

const char* value_type_name(std::uint8_t byte) {
  switch (byte) {
    case 0x7f:
      return "i32";
    case 0x7e:
      return "i64";
    case 0x7d:
      return "f32";
    case 0x7c:
      return "f64";
    case 0x7b:
      return "v128";
    case 0x70:
      return "funcref";
    case 0x6f:
      return "externref";
    default:
      return "a type that is not known";
  }
}

bool decode_instruction(Reader& reader, Instruction& out) {
  const std::uint8_t code = reader.u8();
  out = {.opcode = code, .index = 0, .nesting = 0};
  if (code >= 0x45 && code <= 0xc4) return true;  // comparisons, arithmetic, conversions, sign extension
  if (code >= 0x28 && code <= 0x3e) return memory_argument(reader);
  switch (code) {
    case 0x00:  // unreachable
    case 0x01:  // nop
    case 0x05:  // else
    case 0x0f:  // return
    case 0x1a:  // drop
    case 0x1b:  // select
    case 0xd1:  // ref.is_null
      return true;
    case 0x02:  // block
    case 0x03:  // loop
    case 0x04:  // if
      out.nesting = 1;
      return block_type(reader);
    case 0x0b:  // end
      out.nesting = -1;
      return true;
    case 0x0c:            // br
    case 0x0d:            // br_if
    case 0x10:            // call
    case 0x12:            // return_call
    case 0x20:            // local.get
    case 0x21:            // local.set
    case 0x22:            // local.tee
    case 0x23:            // global.get
    case op::kGlobalSet:  //
    case 0x25:            // table.get
    case op::kTableSet:
    case 0x3f:  // memory.size
    case op::kMemoryGrow:
    case 0xd2:  // ref.func
      out.index = reader.u32();
      return true;
    case 0x0e:  // br_table: the targets, then the default
      for (std::uint32_t targets = reader.count(); targets > 0 && reader.ok(); --targets) reader.u32();
      reader.u32();
      return true;
    case 0x11:  // call_indirect
    case 0x13:  // return_call_indirect
      reader.u32();
      out.index = reader.u32();
      return true;
    case 0x1c:  // select with types
      for (std::uint32_t types = reader.count(); types > 0 && reader.ok(); --types)
        if (!is_plain_value_type(reader.u8())) return !reader.ok();
      return true;
    case 0x41:
      reader.s32();
      return true;
    case 0x42:
      reader.s64();
      return true;
    case 0x43:
      reader.skip(4);
      return true;
    case 0x44:
      reader.skip(8);
      return true;
    case 0xd0: {  // ref.null
      const std::uint8_t type = reader.u8();
      return type == 0x70 || type == 0x6f || !reader.ok();
    }
    case 0xfc:
      return decode_fc(reader, out);
    case 0xfd:
      return decode_fd(reader, out);
    default:
      return !reader.ok();  // a truncated module is damaged, not "unknown"
  }
}

bool skip_const_expression(Reader& reader) {
  Instruction instruction;
  while (reader.ok()) {
    if (!decode_instruction(reader, instruction)) return false;
    if (instruction.nesting > 0) return false;  // constant expressions have no blocks
    if (instruction.nesting < 0) return true;
  }
  return true;
}

}  // namespace hotcell::wasi
