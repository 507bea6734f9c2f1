#include "base/output_buffer.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace hotcell {

namespace {

constexpr std::size_t kKeptCapacity = 64 * 1024;

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

}  // namespace

std::size_t incomplete_utf8_tail(std::string_view text) {
  for (std::size_t back = 1; back <= 3 && back <= text.size(); ++back) {
    const auto byte = static_cast<unsigned char>(text[text.size() - back]);
    if ((byte & 0xC0) == 0x80) continue;
    const std::size_t length = byte >= 0xF0 && byte <= 0xF4  ? 4
                               : byte >= 0xE0 && byte < 0xF0 ? 3
                               : byte >= 0xC2 && byte < 0xE0 ? 2
                                                             : 1;
    return length > back ? back : 0;
  }
  return 0;
}

OutputBuffer::OutputBuffer(std::size_t cap) : cap_(cap), head_size_(cap / 2) {}

void OutputBuffer::copy_in(std::size_t at, std::string_view bytes) {
  if (at + bytes.size() > data_.size()) {
    const std::size_t needed = at + bytes.size();
    // Doubles like any string, but never past the cap: string's own growth may take twice that.
    if (needed > data_.capacity()) data_.reserve(std::min(cap_, std::max(needed, 2 * data_.capacity())));
    data_.resize(needed);
  }
  std::memcpy(data_.data() + at, bytes.data(), bytes.size());
}

void OutputBuffer::write(std::string_view bytes) {
  if (total_ < head_size_) {
    const auto part = bytes.substr(0, head_size_ - static_cast<std::size_t>(total_));
    copy_in(static_cast<std::size_t>(total_), part);
    total_ += part.size();
    bytes.remove_prefix(part.size());
  }
  const std::size_t ring = cap_ - head_size_;
  if (bytes.size() > ring) {  // only the last of it can survive
    total_ += bytes.size() - ring;
    bytes.remove_prefix(bytes.size() - ring);
    if (ring > 0 && data_.size() < cap_)
      copy_in(cap_ - 1, std::string_view("\0", 1));  // the ring is full now, wherever writing goes on
  }
  while (ring > 0 && !bytes.empty()) {
    const auto at = static_cast<std::size_t>((total_ - head_size_) % ring);
    const auto part = bytes.substr(0, ring - at);
    copy_in(head_size_ + at, part);
    total_ += part.size();
    bytes.remove_prefix(part.size());
  }
}

void OutputBuffer::skip(std::uint64_t bytes) {
  if (bytes == 0) return;
  if (cap_ > 0 && data_.size() < cap_) copy_in(cap_ - 1, std::string_view("\0", 1));  // take() reads all of it
  total_ += bytes;
}

OutputBuffer::Kept OutputBuffer::take() {
  Kept kept{.bytes = {}, .total = total_, .truncated = truncated()};
  if (!kept.truncated) {
    // A small output is copied, so that the buffer keeps its memory; a large one is given away.
    if (data_.size() > kKeptCapacity)
      kept.bytes = std::move(data_);
    else
      kept.bytes = data_;
    clear();
    return kept;
  }
  std::string_view head(data_.data(), head_size_);
  head.remove_suffix(incomplete_utf8_tail(head));

  const std::size_t ring = cap_ - head_size_;
  const std::size_t oldest = ring ? static_cast<std::size_t>((total_ - head_size_) % ring) : 0;
  std::string_view first(data_.data() + head_size_ + oldest, ring - oldest);
  std::string_view second(data_.data() + head_size_, oldest);
  // The tail may begin inside a character: at most three bytes of it.
  for (int skipped = 0; skipped < 3; ++skipped) {
    auto& front = first.empty() ? second : first;
    if (front.empty() || !is_continuation(front.front())) break;
    front.remove_prefix(1);
  }

  const auto left_out = total_ - head.size() - first.size() - second.size();
  const std::string marker = "\n[hotcell: " + std::to_string(left_out) + " bytes left out]\n";
  kept.bytes.reserve(head.size() + marker.size() + first.size() + second.size());
  kept.bytes.append(head).append(marker).append(first).append(second);
  clear();
  return kept;
}

void OutputBuffer::clear() {
  total_ = 0;
  data_.clear();
  if (data_.capacity() > kKeptCapacity) std::string().swap(data_);
}

void OutputBuffer::clear(std::size_t cap) {
  cap_ = cap;
  head_size_ = cap / 2;
  clear();
}

}  // namespace hotcell
