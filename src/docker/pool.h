// Cells that are made before anyone asks.
//
// Making one takes the daemon a tenth of a second or more and cannot be hurried, so it happens in the background, a few
// at a time. Of each class that is in use the pool keeps some cells ready: a few always, more when many were taken
// lately, none when the class has not been asked for in a while. A cell is used once; or, where it comes back clean,
// again by the tenant that it belongs to.
//
// A cell that nobody has asked for anything may still die: the daemon restarts, somebody removes its container. So a
// ready cell is looked at before it is handed out, from time to time in between, and replaced when it is old.
//
// Thread-safe.
#pragma once
#include <condition_variable>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/fd.h"
#include "docker/cell.h"
#include "protocol/engine.h"

namespace hotcell::docker {

enum class PoolMode {
  off,      // every run makes its own cell
  prefer,   // a ready one, else one that is made at once
  require,  // only what the pool makes within its size; else wait
};

struct PoolOptions {
  PoolMode mode = PoolMode::prefer;
  unsigned min = 2, max = 8;                     // ready cells of a class that is in use
  unsigned max_cells = 64;                       // ready, busy and being made, of all classes
  unsigned makers = 4;                           // made at once
  std::chrono::seconds demand_window{10};        // "lately"
  std::chrono::seconds class_time{300};          // so long after its last use a class has no ready cells any more
  std::chrono::seconds max_age{3600};            // of a ready cell
  std::chrono::milliseconds check_every{60000};  // a ready cell proves itself again
};

// Where cells come from: a CellMaker, or a test.
struct CellSource {
  std::function<Expected<std::unique_ptr<Cell>>(const CellClass&, bool warm, api::Until)> make;
  std::function<Expected<void>(Cell&, bool warm, api::Until)> clean;
  std::function<Expected<void>(Cell&, api::Until)> check;
};

class Pool {
 public:
  Pool(CellSource source, PoolOptions options);
  ~Pool();  // ends every ready cell

  struct Lease {
    std::unique_ptr<Cell> cell;
    bool ready = false;  // it was waiting
  };
  // Errors: "at_capacity" at the deadline, "stopped", and why a cell could not be made.
  Expected<Lease> acquire(const CellClass& kind, const std::string& tenant, api::Until until);
  // Its program is over, and nobody else gets it.
  void discard(std::unique_ptr<Cell> cell);
  // Its program is over; cell->tenant may have it again once it is clean.
  void recycle(std::unique_ptr<Cell> cell);

  // Keeps at least so many ready from now on, and waits until they are.
  Expected<void> warm(const CellClass& kind, unsigned cells, api::Until until);

  struct Counts {
    unsigned ready = 0, busy = 0, making = 0, cleaning = 0;
    std::uint64_t made = 0, failed = 0, missed = 0, reused = 0;
  };
  Counts counts() const;
  void resize(unsigned min, unsigned max, unsigned max_cells);
  std::string a_ready_one() const;  // the name of one; empty: there is none

 private:
  using Clock = Deadline::Clock;
  struct Kind {                                // of cells
    std::vector<std::unique_ptr<Cell>> ready;  // oldest first
    std::deque<Clock::time_point> taken;       // within the window
    Clock::time_point used{};
    unsigned making = 0, cleaning = 0;  // will be ready soon; cleaning: with those that are still dirty
    unsigned floor = 0, failures = 0, alive = 0;
    Clock::time_point not_before{};  // the daemon failed lately: do not ask it again before
    std::optional<Error> failure;
  };
  struct Waiter;

  unsigned wanted(const Kind& kind, Clock::time_point now) const;
  bool hurried(const Kind& kind, Clock::time_point now) const;
  // Before that no cell is made that nobody waits for.
  Clock::time_point undisturbed_until(const Kind& kind, Clock::time_point now) const;
  std::unique_ptr<Cell> take(Kind& kind, const std::string& tenant);
  void put(Kind& kind, std::unique_ptr<Cell> cell);  // to who waits for it, or among the ready ones
  Waiter* waiter_for(const CellClass& kind, const std::string& tenant) const;
  unsigned waiting(const CellClass& kind) const;
  bool room_for(Kind& kind, bool someone_waits);
  void drop(std::unique_ptr<Cell> cell);

  void start_makers();
  void work();
  bool clean_one(std::unique_lock<std::mutex>& lock);
  bool make_one(std::unique_lock<std::mutex>& lock);
  bool check_one(std::unique_lock<std::mutex>& lock);
  void tidy(Clock::time_point now);
  void bury(std::unique_lock<std::mutex>& lock);
  Clock::time_point next_look(Clock::time_point now) const;

  const CellSource source_;
  PoolOptions options_;  // its sizes under mutex_
  protocol::StopToken stop_;

  mutable std::mutex mutex_;
  std::condition_variable work_, changed_;
  std::map<CellClass, Kind> kinds_;
  std::list<Waiter*> waiters_;  // in the order in which they came
  std::deque<std::unique_ptr<Cell>> dirty_;
  std::vector<std::unique_ptr<Cell>> dead_;  // ended outside the lock: that takes a system call or two
  Clock::time_point tidied_{}, last_taken_{};
  unsigned busy_ = 0, making_ = 0;
  std::uint64_t made_ = 0, failed_ = 0, missed_ = 0, reused_ = 0;
  bool stopping_ = false;
  std::vector<std::thread> makers_;
};

}  // namespace hotcell::docker
