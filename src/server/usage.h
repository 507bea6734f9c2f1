// What each tenant has used, kept across restarts in one small file beside the tokens. It is written every few seconds
// when something has changed: what a kill -9 can lose is that much.
#pragma once
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace hotcell::server {

// Any thread.
struct Usage {
  std::atomic<std::uint64_t> runs{0}, refused{0}, cpu_microseconds{0}, wall_microseconds{0};
  std::atomic<std::int64_t> last_use{0};  // seconds since 1970; 0: never
};

// Thread-safe.
class UsageBook {
 public:
  // Of one name there is one Usage, whoever asks.
  std::shared_ptr<Usage> of(std::string_view name);

  // An absent file is an empty one.
  Expected<void> load(const std::filesystem::path& file);
  // Nothing happens when nothing has changed since.
  Expected<void> save(const std::filesystem::path& file);

  struct Line {
    std::string name;
    std::uint64_t runs = 0, refused = 0;
    double cpu_seconds = 0, wall_seconds = 0;
    std::string last_use;  // a timestamp; empty: never
  };
  std::vector<Line> lines() const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Usage>, std::less<>> all_;
  std::uint64_t saved_ = 0;  // how many runs and refusals the file knows of
};

}  // namespace hotcell::server
