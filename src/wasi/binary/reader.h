// Reading a WebAssembly binary that nobody vouches for.
//
// The reader remembers its first failure instead of returning one from every call: after it, every read gives zero, and
// done() is true, so that loops end. Decoding a module means tens of millions of reads, and an Expected<> (three
// strings) for each would cost more than the decoding; and code that reads like the format is easier to check against
// the specification. Whoever finishes with a reader must look at ok() before believing what was read.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"

namespace hotcell::wasi {

inline constexpr std::size_t kMaxModuleBytes = std::size_t{50} << 20;  // the limit of mission.md row W4

class Reader {
 public:
  Reader() = default;
  explicit Reader(std::span<const std::uint8_t> bytes) : data_(bytes.data()), end_(bytes.size()) {}

  bool ok() const { return failure_ == nullptr; }
  bool done() const { return at_ >= end_; }   // also after a failure
  std::size_t offset() const { return at_; }  // counted from the first byte of the module, in sub-readers too
  std::size_t end() const { return end_; }
  std::size_t left() const { return end_ - at_; }

  std::uint8_t u8();
  std::uint8_t peek() const { return done() ? 0 : data_[at_]; }
  std::uint32_t u32() { return static_cast<std::uint32_t>(unsigned_leb(32)); }
  std::uint64_t u64() { return unsigned_leb(64); }
  std::int32_t s32() { return static_cast<std::int32_t>(signed_leb(32)); }
  std::int64_t s33() { return signed_leb(33); }  // block types and heap types: a type index or a negative constant
  std::int64_t s64() { return signed_leb(64); }
  // The number of items that follow, each of at least one byte: more than there are bytes left is refused here, so that
  // a loop over it, or a reserve() for it, is bounded by the module's size.
  std::uint32_t count(std::uint32_t cap = UINT32_MAX);
  std::string_view name();
  std::span<const std::uint8_t> take(std::size_t size);
  void skip(std::size_t size) { take(size); }
  Reader sub(std::size_t size);

  // The first failure stays. `what` must be a literal: it is kept by pointer.
  void fail_at(const char* what, std::size_t offset);
  // "the module is damaged: … at offset 0x…", code "module_invalid".
  std::unexpected<Error> error() const;

 private:
  std::uint64_t unsigned_leb(unsigned bits);
  std::int64_t signed_leb(unsigned bits);

  const std::uint8_t* data_ = nullptr;
  std::size_t at_ = 0;
  std::size_t end_ = 0;
  const char* failure_ = nullptr;
  std::size_t failed_at_ = 0;
};

enum class SectionId : std::uint8_t {
  custom = 0,
  type = 1,
  import = 2,
  function = 3,
  table = 4,
  memory = 5,
  global = 6,
  export_ = 7,
  start = 8,
  element = 9,
  code = 10,
  data = 11,
  data_count = 12,
  tag = 13,
};

struct Section {
  SectionId id{};
  std::size_t offset = 0;  // of the section's id byte
  Reader body;
};

// The sections of a module in the file's order, which is checked: each at most once and where the specification wants
// it (custom ones anywhere), so that whoever looks at "the" code section has seen all code there is.
class SectionReader {
 public:
  // Refuses what is not a WebAssembly core module, and says what it seems to be instead.
  static Expected<SectionReader> open(std::span<const std::uint8_t> wasm);
  // nullopt at the end of the module.
  Expected<std::optional<Section>> next();

 private:
  explicit SectionReader(Reader reader) : reader_(reader) {}
  Reader reader_;
  int last_rank_ = 0;
};

// What messages quote from a module or another hostile source: printable ASCII stays, all else becomes \xNN, cut at
// `cap`.
std::string printable(std::string_view text, std::size_t cap = 80);
std::string hex_offset(std::size_t offset);  // "offset 0x1f"

}  // namespace hotcell::wasi
