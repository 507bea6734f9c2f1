#include "server/records.h"

#include <algorithm>
#include <utility>

namespace hotcell::server {

void Records::add(std::shared_ptr<Record> record) {
  const std::lock_guard lock(mutex_);
  all_.emplace(record->id(), std::move(record));
}

void Records::ended(const std::shared_ptr<Record>& record) {
  if (!has_place_for(0)) return forget(*record);
  const auto bytes = record->bytes();
  std::vector<Kept> dropped;  // destroyed outside the lock
  const std::lock_guard lock(mutex_);
  ended_.push_back({record, bytes, Clock::now()});
  bytes_ += bytes;
  while (ended_.size() > limits_.count || (bytes_ > limits_.bytes && ended_.size() > 1)) drop_oldest(dropped);
}

void Records::drop_oldest(std::vector<Kept>& out) {
  bytes_ -= ended_.front().bytes;
  all_.erase(ended_.front().record->id());
  out.push_back(std::move(ended_.front()));
  ended_.pop_front();
}

void Records::forget(const Record& record) {
  const std::lock_guard lock(mutex_);
  all_.erase(record.id());
}

std::shared_ptr<Record> Records::find(std::string_view id, std::string_view tenant) const {
  const std::lock_guard lock(mutex_);
  const auto found = all_.find(std::string(id));
  return found != all_.end() && found->second->tenant() == tenant ? found->second : nullptr;
}

void Records::purge(Clock::time_point now) {
  std::vector<Kept> dropped;
  const std::lock_guard lock(mutex_);
  while (!ended_.empty() && now - ended_.front().since >= limits_.time) drop_oldest(dropped);
}

std::vector<std::shared_ptr<Record>> Records::unfinished(std::size_t most) const {
  std::vector<std::shared_ptr<Record>> out;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, record] : all_)
      if (record->state() != Record::State::finished) out.push_back(record);
  }
  std::ranges::sort(out, {}, &Record::created_at);
  if (out.size() > most) out.resize(most);
  return out;
}

void Records::cancel_all() {
  std::vector<std::shared_ptr<Record>> all;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, record] : all_) all.push_back(record);
  }
  for (const auto& record : all) record->cancel();
}

Records::Counts Records::counts() const {
  const std::lock_guard lock(mutex_);
  return {ended_.size(), bytes_};
}

}  // namespace hotcell::server
