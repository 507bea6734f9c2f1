// The bytes of one regular file: borrowed until written, sparse, and paid for page by page.
//
// A file starts as nothing or as a view of bytes that somebody else owns (the request's buffer, a mapped pack). What
// the guest writes lives in 4 KiB pages laid over that view. So a request file or a library file costs nothing until a
// page of it is changed, a hole costs nothing at all, and what is charged against the quota is what really is
// allocated, as on a tmpfs. A contiguous vector would be simpler, but would copy a 50 MB input for a one-byte change,
// and `truncate(10**9)` would have to fail or to allocate.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "wasi/fs/errno.h"

namespace hotcell::wasi {

// What one file system has used of its quotas. Passed to every operation that may allocate or free.
struct Ledger {
  std::uint64_t bytes = 0;
  std::uint64_t max_bytes = 0;
  std::uint64_t nodes = 0;  // nodes, plus each further hard link
  std::uint64_t max_nodes = 0;
  bool bytes_exhausted = false;  // somebody was refused
  bool nodes_exhausted = false;

  bool take_bytes(std::uint64_t count);
  void give_bytes(std::uint64_t count) { bytes -= count; }
  bool take_node();
  void give_node() { --nodes; }
};

class Content {
 public:
  static constexpr std::uint64_t kPageSize = 4096;

  // Replaces the content by a view; `owner` (may be null) keeps the bytes alive.
  void borrow(std::span<const std::byte> bytes, std::shared_ptr<const void> owner);

  std::uint64_t size() const { return size_; }
  std::uint64_t allocated() const { return pages_.size() * kPageSize; }

  // Short at the end of the file; 0 beyond it.
  std::size_t read(std::uint64_t offset, std::span<std::byte> out) const;
  // Writes what the quota allows; kNospc when that is nothing. The caller has checked that offset + size fits.
  Result<std::size_t> write(std::uint64_t offset, std::span<const std::byte> in, Ledger& ledger);
  // Growing makes a hole.
  void resize(std::uint64_t size, Ledger& ledger);
  // Pays for every page of the range now, or changes nothing.
  Errno reserve(std::uint64_t offset, std::uint64_t length, Ledger& ledger);
  // Gives everything back.
  void clear(Ledger& ledger);

 private:
  struct Page {
    std::uint64_t index;
    std::unique_ptr<std::byte[]> bytes;
  };
  // The position of page `index` in pages_, or where it would be inserted.
  std::size_t position_of(std::uint64_t index) const;
  // Inserts a page at `position` that holds what was visible there before; false when there is no memory.
  bool insert_page(std::size_t position, std::uint64_t index);

  std::vector<Page> pages_;  // sorted by index; bytes past size_ are zero
  std::span<const std::byte> base_;
  std::shared_ptr<const void> owner_;
  std::uint64_t size_ = 0;
};

}  // namespace hotcell::wasi
