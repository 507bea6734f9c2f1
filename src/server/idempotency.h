// Requests that a client may send twice and wants run once: the same Idempotency-Key gives the first one's result.
#pragma once
#include <chrono>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "base/hash.h"
#include "server/record.h"

namespace hotcell::server {

// Thread-safe.
class Idempotency {
 public:
  using Clock = std::chrono::steady_clock;

  explicit Idempotency(std::chrono::seconds time = std::chrono::seconds(600), std::size_t most = 4096,
                       std::size_t most_bytes = std::size_t{256} << 20)
      : time_(time), most_(most), most_bytes_(most_bytes) {}

  enum class Verdict { fresh, replay, in_progress, mismatch };
  struct Claim {
    Verdict verdict = Verdict::fresh;
    std::shared_ptr<Record> record;  // of a replay
  };
  // fresh: the caller runs it, and says started() or dropped(). What never ran (a problem) is fresh again, and so is
  // what was cancelled: a connection that breaks ends its program, and is why one sends a request again.
  Claim claim(const std::string& tenant, const std::string& key, const Digest& payload, Clock::time_point now);
  void started(const std::string& tenant, const std::string& key, std::shared_ptr<Record> record);
  void dropped(const std::string& tenant, const std::string& key);
  void purge(Clock::time_point now);
  // Lets the oldest results go where all together are too large. It looks at every key: for now and then.
  void make_room();

 private:
  struct Entry {
    Digest payload;
    std::shared_ptr<Record> record;
    Clock::time_point until;
  };
  static std::string name_of(const std::string& tenant, const std::string& key) { return tenant + '\n' + key; }

  const std::chrono::seconds time_;
  const std::size_t most_, most_bytes_;
  std::mutex mutex_;
  std::unordered_map<std::string, Entry> entries_;
  std::deque<std::pair<Clock::time_point, std::string>> order_;  // the oldest first
};

}  // namespace hotcell::server
