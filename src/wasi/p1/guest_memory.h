// A guest's linear memory, as the host functions see it: every pointer and length is checked here and nowhere else.
#pragma once
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>

#include "wasi/fs/errno.h"

namespace hotcell::wasi {

// Valid for one host call: growing the memory may move it.
struct GuestMemory {
  std::byte* base = nullptr;
  std::uint64_t size = 0;

  // 64-bit sums of 32-bit values can't overflow. A zero length is in range up to and including the end.
  bool has(std::uint32_t pointer, std::uint64_t length) const { return length <= size && pointer <= size - length; }
  Result<std::span<std::byte>> bytes(std::uint32_t pointer, std::uint32_t length) const {
    if (!has(pointer, length)) return fail_with(Errno::kFault);
    return std::span(base + pointer, length);
  }
  // Copies, so that alignment doesn't matter and the guest's value is read exactly once.
  template <class T>
  bool load(std::uint32_t pointer, T& out) const {
    static_assert(std::is_trivially_copyable_v<T> && std::endian::native == std::endian::little);
    if (!has(pointer, sizeof(T))) return false;
    std::memcpy(&out, base + pointer, sizeof(T));
    return true;
  }
  template <class T>
  bool store(std::uint32_t pointer, const T& value) const {
    static_assert(std::is_trivially_copyable_v<T> && std::endian::native == std::endian::little);
    if (!has(pointer, sizeof(T))) return false;
    std::memcpy(base + pointer, &value, sizeof(T));
    return true;
  }
};

}  // namespace hotcell::wasi
