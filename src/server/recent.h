// What has happened lately, for people who look: how many runs a second, how long they take, what went wrong last.
// /metrics is for machines that remember; this remembers one minute by itself.
#pragma once
#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "protocol/problem.h"
#include "protocol/result.h"

namespace hotcell::server {

// Thread-safe.
class Recent {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::size_t kSeconds = 60, kDurations = 1024, kFailures = 20, kStatuses = 7;

  struct Failure {
    std::chrono::system_clock::time_point at;
    std::string tenant, id, language, engine, status, code, message;  // of a refusal: no engine, "refused"
    std::string name;  // of an exception, whose message is the program's own
    double seconds = 0;
  };
  void ended(const std::string& tenant, protocol::Language language, const protocol::Result& result,
             Clock::time_point now);
  // `id` may be empty: it was refused before it had one.
  void refused(const std::string& tenant, protocol::Language language, const std::string& id,
               const protocol::Problem& problem, Clock::time_point now);

  struct Quantiles {
    double p50 = 0, p90 = 0, p95 = 0, p99 = 0, longest = 0;
  };
  // Of the last minute, with the second that is not over.
  struct Minute {
    std::uint64_t runs = 0, failed = 0, refused = 0;
    std::optional<Quantiles> seconds;  // of the last runs in it
  };
  struct View {
    double uptime_seconds = 0;
    std::array<std::uint64_t, kStatuses> totals{};  // by protocol::Status, since the start
    std::uint64_t refused = 0;
    std::array<std::uint32_t, kSeconds> per_second{};  // the oldest first; the last one is over
    Minute minute;
    std::vector<std::pair<std::string, Minute>> engines;
    std::vector<Failure> failures;  // the newest first
  };
  View view(Clock::time_point now) const;

 private:
  struct Second {
    std::int64_t number = -1;
    std::uint32_t runs = 0, failed = 0, refused = 0;
  };
  struct Duration {
    std::int64_t second = -1;
    float seconds = 0;
  };
  // A minute as it goes by: of all engines, or of one.
  struct Track {
    std::array<Second, kSeconds + 1> seconds{};  // and the one that is not over
    std::array<Duration, kDurations> durations{};
    std::size_t next_duration = 0;

    Second& at(std::int64_t second);
    void ended(std::int64_t second, float took, bool failed);
    Minute minute(std::int64_t second) const;
  };

  std::int64_t second_of(Clock::time_point now) const {
    return std::chrono::duration_cast<std::chrono::seconds>(now - began_).count();
  }
  Track* track_of(const std::string& engine);
  void remember(Failure failure);

  const Clock::time_point began_ = Clock::now();
  mutable std::mutex mutex_;
  std::array<std::uint64_t, kStatuses> totals_{};
  std::uint64_t refused_ = 0;
  Track all_;
  std::deque<std::pair<std::string, Track>> engines_;
  std::deque<Failure> failures_;
};

}  // namespace hotcell::server
