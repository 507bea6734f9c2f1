// Executions by id: those that run, and those that have ended, for `time` and while there is room.
#pragma once
#include <chrono>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "server/record.h"

namespace hotcell::server {

struct Retention {
  std::chrono::seconds time{600};
  std::size_t count = 4096;
  std::size_t bytes = std::size_t{256} << 20;
};

// Thread-safe.
class Records {
 public:
  using Clock = std::chrono::steady_clock;

  explicit Records(Retention limits) : limits_(limits) {}

  void add(std::shared_ptr<Record> record);
  // It has ended: from now on it may make room for others.
  void ended(const std::shared_ptr<Record>& record);
  void forget(const Record& record);
  // nullptr: there is none, or it is somebody else's, which nobody shall be able to tell apart.
  std::shared_ptr<Record> find(std::string_view id, std::string_view tenant) const;

  // Whether so much could be kept at all.
  bool has_place_for(std::size_t bytes) const {
    const std::lock_guard lock(mutex_);
    return limits_.time.count() > 0 && bytes <= limits_.bytes / 4;
  }
  void set_limits(Retention limits) {
    const std::lock_guard lock(mutex_);
    limits_ = limits;
  }
  void purge(Clock::time_point now);
  // The oldest first, at most so many.
  std::vector<std::shared_ptr<Record>> unfinished(std::size_t most) const;
  // Everything that has not ended.
  void cancel_all();

  struct Counts {
    std::size_t kept = 0, bytes = 0;
  };
  Counts counts() const;

 private:
  struct Kept {
    std::shared_ptr<Record> record;
    std::size_t bytes = 0;
    Clock::time_point since;
  };
  void drop_oldest(std::vector<Kept>& out);

  mutable std::mutex mutex_;
  Retention limits_;
  std::unordered_map<std::string, std::shared_ptr<Record>> all_;
  std::deque<Kept> ended_;  // the oldest first
  std::size_t bytes_ = 0;   // of those that have ended
};

}  // namespace hotcell::server
