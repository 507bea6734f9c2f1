// A pack: many read-only files in one mapping (a language's standard library), found by binary search.
//
// A run costs about 50 µs in all and starts with a fresh file system, so nothing may be built for 1500 library files up
// front. A pack is validated once per process; after that a lookup is a handful of string comparisons inside the
// mapping. Directories are implied by the paths of the files.
//
// Format, little-endian: "HCPACK1\n", u32 count, u32 reserved, then `count` entries sorted bytewise by path
// { u64 path_offset, u32 path_length, u32 reserved, u64 data_offset, u64 size }, then the bytes they point to.
// Offsets count from the start of the pack; paths are relative ("usr/lib/python3.11/json/decoder.py").
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/error.h"

namespace hotcell::wasi {

class Pack {
 public:
  // The entries [first, last) whose paths start with the same `prefix` characters, the final slash included: a
  // directory.
  struct Range {
    std::uint32_t first = 0;
    std::uint32_t last = 0;
    std::uint32_t prefix = 0;
  };
  struct Child {
    bool is_directory = false;
    Range range;  // of a file: the one entry
  };

  // Checks everything: bounds, order, well-formed paths, no path that is both file and directory. The bytes (a mapping)
  // must outlive the pack and every file system that mounts it.
  static Expected<Pack> open(std::span<const std::byte> bytes);

  Range root() const { return {0, count_, 0}; }
  std::optional<Child> find(Range directory, std::string_view name) const;
  // The child whose first entry is `index`; range.last is where the next child begins.
  Child child_at(Range directory, std::uint32_t index) const;
  // Its name, without slashes.
  std::string_view name_at(Range directory, std::uint32_t index) const;

  std::uint32_t count() const { return count_; }
  std::string_view path(std::uint32_t index) const;
  std::span<const std::byte> data(std::uint32_t index) const;

 private:
  struct Entry {
    std::uint64_t path_offset;
    std::uint32_t path_length;
    std::uint32_t reserved;
    std::uint64_t data_offset;
    std::uint64_t size;
  };
  Entry entry(std::uint32_t index) const;
  Expected<void> check() const;
  // The first entry in the range whose path, from `prefix` on, is not less than name followed by `end` (if any).
  std::uint32_t lower_bound(Range range, std::string_view name, std::optional<char> end) const;

  std::span<const std::byte> bytes_;
  std::uint32_t count_ = 0;
};

}  // namespace hotcell::wasi
