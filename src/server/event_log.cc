#include "server/event_log.h"

#include <algorithm>

namespace hotcell::server {

using namespace protocol;

void EventLog::append(What&& what, Drop drop) {
  Event event;
  event.seq = ++last_;
  event.t = seconds();
  event.what = std::move(what);
  ended_ = ended_ || std::holds_alternative<event::End>(event.what);
  Line line{event.seq, type_of(event), to_line(event)};
  bytes_ += line.json.size();
  unread_ += line.json.size();
  lines_.push_back(std::move(line));
  // What is said at the end is bounded by the result's own limits, and is what a late reader needs most.
  while (drop != Drop::nothing && bytes_ > capacity_ && lines_.size() > 1) {
    if (drop == Drop::what_was_read && lines_.front().seq > first_after_) break;
    bytes_ -= lines_.front().json.size();
    if (lines_.front().seq > first_after_) unread_ -= lines_.front().json.size();
    lines_.pop_front();
  }
  std::erase_if(listeners_, [](const auto& listener) { return !listener(); });
}

void EventLog::add(What what) {
  const std::lock_guard lock(mutex_);
  if (!ended_) append(std::move(what), Drop::nothing);
}

void EventLog::add_output(event::Output output, Clock::time_point patience) {
  std::unique_lock lock(mutex_);
  // Its JSON may be longer than its bytes; what matters is that there is a bound.
  const auto room = [&] {
    return !first_listens_ || let_go_ || unread_ == 0 || unread_ + output.bytes.size() <= capacity_;
  };
  read_on_.wait_until(lock, patience, room);
  const bool waited_for = first_listens_ && !let_go_ && Clock::now() < patience;
  if (!ended_) append(std::move(output), waited_for ? Drop::what_was_read : Drop::anything);
}

void EventLog::let_go() {
  const std::lock_guard lock(mutex_);
  let_go_ = true;
  read_on_.notify_all();
}

bool EventLog::read_locked(std::uint64_t& after, std::size_t most, const std::function<void(const Line&)>& out) {
  if (!lines_.empty() && after + 1 < lines_.front().seq) {
    Event gap;
    gap.seq = lines_.front().seq - 1;
    gap.t = seconds();
    gap.what = event::Gap{after + 1, gap.seq};
    after = gap.seq;
    out({gap.seq, type_of(gap), to_line(gap)});
  }
  auto at = std::ranges::lower_bound(lines_, after + 1, {}, &Line::seq);
  for (std::size_t size = 0; at != lines_.end() && size < most; ++at) {
    size += at->json.size();
    after = at->seq;
    out(*at);
  }
  return ended_ && after >= last_;
}

bool EventLog::read(std::uint64_t& after, std::size_t most, const std::function<void(const Line&)>& out) {
  const std::lock_guard lock(mutex_);
  return read_locked(after, most, out);
}

bool EventLog::read_first(std::uint64_t& after, std::size_t most, const std::function<void(const Line&)>& out) {
  const std::lock_guard lock(mutex_);
  first_listens_ = true;
  const bool over = read_locked(after, most, out);
  first_after_ = after;
  unread_ = 0;
  for (auto at = lines_.rbegin(); at != lines_.rend() && at->seq > after; ++at) unread_ += at->json.size();
  read_on_.notify_all();
  return over;
}

void EventLog::first_leaves() {
  const std::lock_guard lock(mutex_);
  first_listens_ = false;
  read_on_.notify_all();
}

void EventLog::tell(std::function<bool()> listener) {
  const std::lock_guard lock(mutex_);
  listeners_.push_back(std::move(listener));
}

bool EventLog::ended() const {
  const std::lock_guard lock(mutex_);
  return ended_;
}

std::size_t EventLog::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

}  // namespace hotcell::server
