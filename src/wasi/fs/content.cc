#include "wasi/fs/content.h"

#include <algorithm>
#include <cstring>
#include <new>

namespace hotcell::wasi {

bool Ledger::take_bytes(std::uint64_t count) {
  if (count > max_bytes || bytes > max_bytes - count) {
    bytes_exhausted = true;
    return false;
  }
  bytes += count;
  return true;
}

bool Ledger::take_node() {
  if (nodes >= max_nodes) {
    nodes_exhausted = true;
    return false;
  }
  ++nodes;
  return true;
}

void Content::borrow(std::span<const std::byte> bytes, std::shared_ptr<const void> owner) {
  base_ = bytes;
  owner_ = std::move(owner);
  size_ = bytes.size();
}

std::size_t Content::position_of(std::uint64_t index) const {
  // Files mostly grow at their end.
  if (pages_.empty() || pages_.back().index < index) return pages_.size();
  const auto at = std::ranges::lower_bound(pages_, index, {}, &Page::index);
  return static_cast<std::size_t>(at - pages_.begin());
}

std::size_t Content::read(std::uint64_t offset, std::span<std::byte> out) const {
  if (offset >= size_) return 0;
  const std::size_t total = static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), size_ - offset));
  out = out.first(total);
  std::size_t position = pages_.empty() ? 0 : position_of(offset / kPageSize);
  while (!out.empty()) {
    const std::uint64_t index = offset / kPageSize;
    const bool on_page = position < pages_.size() && pages_[position].index == index;
    // Up to the end of this page, or, where there is none, up to the next page that exists.
    std::uint64_t end = size_;
    if (on_page) {
      end = (index + 1) * kPageSize;
    } else if (position < pages_.size()) {
      end = pages_[position].index * kPageSize;
    }
    const std::size_t count = static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), end - offset));
    if (on_page) {
      std::memcpy(out.data(), pages_[position].bytes.get() + offset % kPageSize, count);
      ++position;
    } else {
      std::size_t borrowed = 0;
      if (offset < base_.size()) {
        borrowed = std::min<std::size_t>(count, base_.size() - static_cast<std::size_t>(offset));
        std::memcpy(out.data(), base_.data() + offset, borrowed);
      }
      std::memset(out.data() + borrowed, 0, count - borrowed);
    }
    out = out.subspan(count);
    offset += count;
  }
  return total;
}

bool Content::insert_page(std::size_t position, std::uint64_t index) {
  try {
    std::unique_ptr<std::byte[]> bytes(new std::byte[kPageSize]);
    const std::uint64_t start = index * kPageSize;
    std::size_t borrowed = 0;
    if (start < base_.size()) {
      borrowed = std::min<std::size_t>(kPageSize, base_.size() - static_cast<std::size_t>(start));
      std::memcpy(bytes.get(), base_.data() + start, borrowed);
    }
    std::memset(bytes.get() + borrowed, 0, kPageSize - borrowed);
    pages_.insert(pages_.begin() + static_cast<std::ptrdiff_t>(position), Page{index, std::move(bytes)});
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

Result<std::size_t> Content::write(std::uint64_t offset, std::span<const std::byte> in, Ledger& ledger) {
  std::size_t written = 0;
  std::size_t position = position_of(offset / kPageSize);
  while (written < in.size()) {
    const std::uint64_t index = offset / kPageSize;
    const std::size_t within = static_cast<std::size_t>(offset % kPageSize);
    if (position >= pages_.size() || pages_[position].index != index) {
      if (!ledger.take_bytes(kPageSize)) break;
      if (!insert_page(position, index)) {
        ledger.give_bytes(kPageSize);
        break;
      }
    }
    const std::size_t count = std::min<std::size_t>(in.size() - written, kPageSize - within);
    std::memcpy(pages_[position].bytes.get() + within, in.data() + written, count);
    written += count;
    offset += count;
    ++position;
  }
  if (written == 0 && !in.empty()) return fail_with(Errno::kNospc);
  if (written > 0) size_ = std::max(size_, offset);
  return written;
}

void Content::resize(std::uint64_t size, Ledger& ledger) {
  if (size < size_) {
    // What is cut off must read as zeros when the file grows again.
    const std::size_t keep = position_of((size + kPageSize - 1) / kPageSize);
    ledger.give_bytes((pages_.size() - keep) * kPageSize);
    pages_.resize(keep);
    if (size % kPageSize != 0 && !pages_.empty() && pages_.back().index == size / kPageSize)
      std::memset(pages_.back().bytes.get() + size % kPageSize, 0, kPageSize - size % kPageSize);
    if (size < base_.size()) base_ = base_.first(static_cast<std::size_t>(size));
  }
  size_ = size;
}

Errno Content::reserve(std::uint64_t offset, std::uint64_t length, Ledger& ledger) {
  if (length == 0) return Errno::kSuccess;
  const std::uint64_t first = offset / kPageSize;
  const std::uint64_t last = (offset + length - 1) / kPageSize;
  const std::size_t begin = position_of(first);
  const std::size_t end = position_of(last + 1);
  const std::uint64_t missing = last - first + 1 - (end - begin);
  if (missing > ledger.max_bytes / kPageSize || !ledger.take_bytes(missing * kPageSize)) {
    ledger.bytes_exhausted = true;
    return Errno::kNospc;
  }
  // Merged into a new vector: inserting page by page would be quadratic for a file full of holes.
  try {
    std::vector<Page> merged;
    merged.reserve(pages_.size() + missing);
    std::vector<Page> fresh;
    fresh.swap(pages_);
    for (std::size_t i = 0; i < begin; ++i) merged.push_back(std::move(fresh[i]));
    std::size_t have = begin;
    std::uint64_t unmade = missing;
    for (std::uint64_t index = first; index <= last; ++index) {
      if (have < end && fresh[have].index == index) {
        merged.push_back(std::move(fresh[have++]));
      } else {
        pages_.swap(merged);
        const bool made = insert_page(pages_.size(), index);
        pages_.swap(merged);
        if (made) --unmade;
      }
    }
    for (std::size_t i = end; i < fresh.size(); ++i) merged.push_back(std::move(fresh[i]));
    pages_.swap(merged);
    ledger.give_bytes(unmade * kPageSize);
    if (unmade > 0) return Errno::kNospc;
  } catch (const std::bad_alloc&) {
    ledger.give_bytes(missing * kPageSize);  // only the first reserve() can throw: nothing has been moved yet
    return Errno::kNospc;
  }
  size_ = std::max(size_, offset + length);
  return Errno::kSuccess;
}

void Content::clear(Ledger& ledger) {
  ledger.give_bytes(pages_.size() * kPageSize);
  pages_.clear();
  base_ = {};
  owner_.reset();
  size_ = 0;
}

}  // namespace hotcell::wasi
