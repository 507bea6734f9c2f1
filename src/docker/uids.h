// Which uid a cell gets: one that no other container of ours has, be it on its way out.
//
// The kernel counts some things by uid, whatever the container: pipe buffers, inotify watches, keys, message queues,
// pending signals. Cells that shared a uid could use up each other's. Within a process this is exact. Between processes
// it is chance: each begins at a random place, and the usual range is so wide that they do not meet.
#pragma once
#include <cstdint>
#include <memory>
#include <mutex>
#include <random>
#include <set>

#include "base/error.h"

namespace hotcell::docker {

struct UidRange {
  std::uint32_t first = 0, count = 0;  // no count: choose
};

// Above what systemd hands out to containers (up to 1,879,048,191) and what our own WASI workers take (from
// 1,900,000,000 on), below 2^31, where runc ends. A daemon that maps users (userns-remap, rootless) has only 65536 of
// them, and a uid beyond cannot be taken on; there the range lies above what images and distributions use.
inline constexpr UidRange kUsualUids{2'000'000'000, 100'000'000};
inline constexpr UidRange kMappedUids{20'000, 40'000};

// Nobody else's, until the last copy of this is gone.
using Uid = std::shared_ptr<const std::uint32_t>;

class Uids : public std::enable_shared_from_this<Uids> {
 public:
  explicit Uids(UidRange range) : range_(range), random_(std::random_device{}()) {}
  Expected<Uid> take() {
    const std::lock_guard lock(mutex_);
    if (taken_.size() >= range_.count / 2)  // never so full that looking for a free one takes long
      return fail("at_capacity", "all uids of the configured range are in use", "raise docker.uid_count");
    for (;;) {
      const auto uid = range_.first + static_cast<std::uint32_t>(random_() % range_.count);
      if (!taken_.insert(uid).second) continue;
      return Uid(new std::uint32_t(uid), [uids = shared_from_this()](const std::uint32_t* given) {
        uids->give_back(*given);
        delete given;
      });
    }
  }

 private:
  void give_back(std::uint32_t uid) {
    const std::lock_guard lock(mutex_);
    taken_.erase(uid);
  }

  const UidRange range_;
  std::mutex mutex_;
  std::mt19937_64 random_;
  std::set<std::uint32_t> taken_;
};

}  // namespace hotcell::docker
