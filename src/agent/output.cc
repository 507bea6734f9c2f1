#include "agent/output.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace hotcell::agent {
namespace {

constexpr int kFairShare = 16;  // reads of kMaxChunk, before others have their turn

}  // namespace

OutputStream::OutputStream(std::uint8_t number, Fd pipe, std::uint64_t cap) : number_(number), pipe_(std::move(pipe)) {
  fcntl(pipe_.get(), F_SETFL, O_NONBLOCK);
  const auto tail = cap - cap / 2;
  left_ = tail > kMaxTail ? ~0ull : cap;
  ring_size_ = tail > kMaxTail ? 0 : static_cast<std::size_t>(tail);
}

int OutputStream::wants(const Link& link) const { return left_ > 0 && link.crowded() ? -1 : pipe_.get(); }

void OutputStream::keep(std::string_view bytes) {
  if (bytes.size() >= ring_size_) {
    ring_.assign(bytes.substr(bytes.size() - ring_size_));
    oldest_ = 0;
    return;
  }
  const auto room = bytes.substr(0, ring_size_ - ring_.size());
  ring_.append(room);
  bytes.remove_prefix(room.size());
  while (!bytes.empty()) {
    const auto part = bytes.substr(0, ring_size_ - oldest_);
    std::memcpy(ring_.data() + oldest_, part.data(), part.size());
    oldest_ = (oldest_ + part.size()) % ring_size_;
    bytes.remove_prefix(part.size());
  }
}

bool OutputStream::read_some(Link& link) {
  if (!pipe_ || wants(link) < 0) return false;
  char bytes[kMaxChunk];
  const ssize_t got = read(pipe_.get(), bytes, sizeof bytes);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  if (got <= 0) {
    pipe_.reset();
    return false;
  }
  const std::string_view all(bytes, static_cast<std::size_t>(got));
  total_ += all.size();
  const auto now = all.substr(0, std::min<std::uint64_t>(left_, all.size()));
  if (!now.empty()) {
    link.send(FrameType::output, Output{number_, now}.encode());
    sent_ += now.size();
    if (left_ != ~0ull) left_ -= now.size();
  }
  keep(all.substr(now.size()));
  return all.size() == sizeof bytes;
}

void OutputStream::pump(Link& link) {
  for (int turn = 0; turn < kFairShare && read_some(link); ++turn) {
  }
}

void OutputStream::drain(Link& link) {
  while (pipe_ && wants(link) >= 0) {
    const auto before = total_;
    read_some(link);
    // Nobody can write any more, so an empty pipe stays empty, whoever still holds its other end.
    if (pipe_ && total_ == before) pipe_.reset();
  }
}

bool OutputStream::send_tail(Link& link) {
  while (tail_sent_ < ring_.size()) {
    if (link.crowded()) return false;
    const auto at = (oldest_ + tail_sent_) % ring_.size();
    const auto piece = std::string_view(ring_).substr(at).substr(0, std::min(kMaxChunk, ring_.size() - tail_sent_));
    link.send(FrameType::tail, Output{number_, piece}.encode());
    tail_sent_ += piece.size();
  }
  return true;
}

}  // namespace hotcell::agent
