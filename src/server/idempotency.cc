#include "server/idempotency.h"

namespace hotcell::server {

Idempotency::Claim Idempotency::claim(const std::string& tenant, const std::string& key, const Digest& payload,
                                      Clock::time_point now) {
  purge(now);
  const std::lock_guard lock(mutex_);
  auto name = name_of(tenant, key);
  if (const auto found = entries_.find(name); found != entries_.end()) {
    auto& entry = found->second;
    if (entry.payload != payload) return {Verdict::mismatch, nullptr};
    const auto ending = entry.record ? entry.record->ending() : nullptr;
    if (!ending) return {Verdict::in_progress, nullptr};
    if (!ending->problem && ending->status != protocol::Status::cancelled) return {Verdict::replay, entry.record};
    entry.record = nullptr;  // there is nothing to give again: now it runs
    return {};
  }
  entries_.emplace(name, Entry{payload, nullptr, now + time_});
  order_.emplace_back(now + time_, std::move(name));
  return {};
}

void Idempotency::started(const std::string& tenant, const std::string& key, std::shared_ptr<Record> record) {
  const std::lock_guard lock(mutex_);
  if (const auto found = entries_.find(name_of(tenant, key)); found != entries_.end())
    found->second.record = std::move(record);
}

void Idempotency::dropped(const std::string& tenant, const std::string& key) {
  const std::lock_guard lock(mutex_);
  entries_.erase(name_of(tenant, key));
}

void Idempotency::purge(Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  while (!order_.empty() && (order_.front().first <= now || order_.size() > most_)) {
    // The name may have been dropped and taken again since: then it is not this one's to remove.
    const auto found = entries_.find(order_.front().second);
    if (found != entries_.end() && found->second.until == order_.front().first) entries_.erase(found);
    order_.pop_front();
  }
}

void Idempotency::make_room() {
  const std::lock_guard lock(mutex_);
  std::size_t bytes = 0;
  for (auto at = order_.rbegin(); at != order_.rend(); ++at) {
    const auto found = entries_.find(at->second);
    if (found == entries_.end() || found->second.until != at->first) continue;
    const auto& record = found->second.record;
    if (!record || !record->ending()) continue;  // what runs must not run twice
    bytes += record->bytes();
    if (bytes > most_bytes_) entries_.erase(found);
  }
}

}  // namespace hotcell::server
