// Decoding one WebAssembly instruction: far enough to find the next one, and to know whether it changes state that lies
// outside the linear memory and the globals.
//
// What is known: the MVP, sign extension, saturating conversion, multi-value, bulk memory, reference types, tail calls,
// extended constants, wide arithmetic, SIMD and relaxed SIMD. Threads, exceptions, gc, typed function references and
// stack switching are not: each can keep state that a reset would not find, and no compiler that we use emits them.
#pragma once
#include <cstdint>

#include "wasi/binary/reader.h"

namespace hotcell::wasi {

struct Instruction {
  std::uint32_t opcode = 0;  // the byte, or prefix << 16 | sub-opcode for 0xfc and 0xfd
  std::uint32_t index = 0;   // of the global, table or segment that it names, where it does
  int nesting = 0;           // +1 opens a block, -1 is `end`
};

namespace op {
inline constexpr std::uint32_t kGlobalSet = 0x24;
inline constexpr std::uint32_t kTableSet = 0x26;
inline constexpr std::uint32_t kMemoryGrow = 0x40;
inline constexpr std::uint32_t kMemoryInit = 0xfc0008;
inline constexpr std::uint32_t kDataDrop = 0xfc0009;
inline constexpr std::uint32_t kTableInit = 0xfc000c;
inline constexpr std::uint32_t kElemDrop = 0xfc000d;
inline constexpr std::uint32_t kTableCopy = 0xfc000e;
inline constexpr std::uint32_t kTableGrow = 0xfc000f;
inline constexpr std::uint32_t kTableFill = 0xfc0011;
}  // namespace op

// False when the instruction is not known, with `out.opcode` set as far as it was read; the reader's place is then
// meaningless. True says nothing about the end of the input: look at reader.ok().
bool decode_instruction(Reader& reader, Instruction& out);

// Past a constant expression and its `end`; false when it holds an instruction that is not known.
bool skip_const_expression(Reader& reader);

// i32 i64 f32 f64 v128 funcref externref: the types that are a single byte.
bool is_plain_value_type(std::uint8_t byte);
const char* value_type_name(std::uint8_t byte);

}  // namespace hotcell::wasi
