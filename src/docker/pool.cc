#include "docker/pool.h"

#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>

namespace hotcell::docker {
namespace {

constexpr double kMakeSeconds = 60;
constexpr double kCleanSeconds = 10;
constexpr double kCheckSeconds = 5;
constexpr std::chrono::seconds kTidyEvery{1};
// So many cells taken within the window call for one more that is ready.
constexpr unsigned kTakenForOneMore = 8;
// So long a program that has just got its cell is left alone: making the next one uses the same processors.
constexpr std::chrono::milliseconds kUndisturbed{30};
// So many cells taken within a second are more than two processors can warm up.
constexpr unsigned kManyASecond = 24;

// 0.25 s, 0.5 s, … 32 s.
std::chrono::milliseconds pause_after(unsigned failures) {
  return std::chrono::milliseconds(250) * (1 << std::min(failures, 7u));
}

}  // namespace

// Somebody who waits for a cell. It lives on the stack of acquire() and stands in waiters_ until it is served.
struct Pool::Waiter {
  CellClass kind;
  std::string tenant;
  Fd event;  // becomes readable when it is served
  std::unique_ptr<Cell> cell;
  std::optional<Error> error;
  bool served = false;

  void wake() {
    served = true;
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = write(event.get(), &one, sizeof one);
  }
};

Pool::Pool(CellSource source, PoolOptions options) : source_(std::move(source)), options_(options) {}

Pool::~Pool() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  stop_.stop();
  work_.notify_all();
  for (auto& maker : makers_) maker.join();
}

Pool::Counts Pool::counts() const {
  const std::lock_guard lock(mutex_);
  Counts out;
  for (const auto& [name, kind] : kinds_) {
    out.ready += static_cast<unsigned>(kind.ready.size());
    out.cleaning += kind.cleaning;
  }
  out.busy = busy_, out.making = making_;
  out.made = made_, out.failed = failed_, out.missed = missed_, out.reused = reused_;
  return out;
}

std::string Pool::a_ready_one() const {
  const std::lock_guard lock(mutex_);
  for (const auto& [name, kind] : kinds_)
    if (!kind.ready.empty()) return kind.ready.front()->name();
  return {};
}

unsigned Pool::wanted(const Kind& kind, Clock::time_point now) const {
  if (options_.mode == PoolMode::off) return 0;
  if (now - kind.used > options_.class_time) return kind.floor;
  const auto lately =
      std::count_if(kind.taken.begin(), kind.taken.end(), [&](auto at) { return now - at <= options_.demand_window; });
  const auto asked = options_.min + static_cast<unsigned>(lately) / kTakenForOneMore;
  return std::max(kind.floor, std::min(asked, options_.max));
}

bool Pool::hurried(const Kind& kind, Clock::time_point now) const {
  const auto enough = static_cast<std::size_t>(kManyASecond);
  return kind.taken.size() >= enough && now - kind.taken[kind.taken.size() - enough] < std::chrono::seconds(1);
}

Pool::Clock::time_point Pool::undisturbed_until(const Kind& kind, Clock::time_point now) const {
  return busy_ == 0 || kind.ready.empty() ? now : last_taken_ + kUndisturbed;
}

std::unique_ptr<Cell> Pool::take(Kind& kind, const std::string& tenant) {
  for (;;) {
    // One that this tenant has used before, so that the fresh ones are left for others; else the oldest fresh one.
    auto best = kind.ready.end();
    for (auto at = kind.ready.begin(); at != kind.ready.end(); ++at) {
      const auto& whose = (*at)->tenant;
      if (!whose.empty() && whose == tenant) {
        best = at;
        break;
      }
      if (whose.empty() && best == kind.ready.end()) best = at;
    }
    if (best == kind.ready.end()) return nullptr;
    auto cell = std::move(*best);
    kind.ready.erase(best);
    if (cell->channel().quiet()) return cell;
    --kind.alive;  // it has ended, or speaks unasked
    dead_.push_back(std::move(cell));
  }
}

Expected<Pool::Lease> Pool::acquire(const CellClass& kind, const std::string& tenant, api::Until until) {
  const auto now = Clock::now();
  Waiter waiter{kind, tenant, Fd(), nullptr, std::nullopt, false};
  {
    std::unique_lock lock(mutex_);
    auto& mine = kinds_[kind];
    mine.used = now;
    mine.taken.push_back(now);
    while (!mine.taken.empty() && now - mine.taken.front() > options_.demand_window) mine.taken.pop_front();
    if (options_.mode == PoolMode::off) {
      if (busy_ >= options_.max_cells)
        return fail("at_capacity", "all " + std::to_string(options_.max_cells) + " cells are busy",
                    "try again, or raise docker.max_cells");
      ++busy_, ++mine.alive;
      lock.unlock();
      auto cell = source_.make(kind, false, until);
      lock.lock();
      if (cell) {
        ++made_;
        return Lease{std::move(*cell), false};
      }
      --busy_, --kinds_[kind].alive, ++failed_;
      return std::unexpected(cell.error());
    }
    auto cell = take(mine, tenant);
    if (cell) ++busy_, last_taken_ = now;
    if (!cell) {
      ++missed_;
      waiter.event = Fd(eventfd(0, EFD_CLOEXEC));
      if (!waiter.event) return fail_errno("cannot make an event");
      waiters_.push_back(&waiter);
    }
    start_makers();
    if (cell)
      work_.notify_one();  // when it will be time to make another
    else
      work_.notify_all();
    bury(lock);
    if (cell) return Lease{std::move(cell), true};
  }
  for (;;) {
    pollfd waits[2] = {{waiter.event.get(), POLLIN, 0}, {until.stop_fd, POLLIN, 0}};
    const int ready = poll(waits, 2, until.deadline.poll_ms());
    if (ready < 0 && errno == EINTR) continue;
    const std::lock_guard lock(mutex_);
    if (!waiter.served && ready == 0 && !until.deadline.passed()) continue;
    if (!waiter.served) {
      waiters_.remove(&waiter);
      if (waits[1].revents) return fail("stopped", "stopped while waiting for a cell");
      const auto& why = kinds_[kind].failure;
      return fail("at_capacity",
                  "no cell was free in time: " + std::to_string(busy_) + " are busy, " + std::to_string(making_) +
                      " are being made" + (why ? "; the last one could not be made: " + why->message : ""),
                  "try again, or raise docker.max_cells");
    }
    if (waiter.error) return std::unexpected(*waiter.error);
    return Lease{std::move(waiter.cell), false};
  }
}

Pool::Waiter* Pool::waiter_for(const CellClass& kind, const std::string& tenant) const {
  for (auto* waiter : waiters_)
    if (waiter->kind == kind && (tenant.empty() || waiter->tenant == tenant)) return waiter;
  return nullptr;
}

unsigned Pool::waiting(const CellClass& kind) const {
  return static_cast<unsigned>(
      std::count_if(waiters_.begin(), waiters_.end(), [&](const Waiter* waiter) { return waiter->kind == kind; }));
}

void Pool::put(Kind& kind, std::unique_ptr<Cell> cell) {
  if (auto* waiter = waiter_for(cell->kind(), cell->tenant)) {
    waiters_.remove(waiter);
    ++busy_;
    waiter->cell = std::move(cell);
    waiter->wake();
    return;
  }
  kind.ready.push_back(std::move(cell));
  changed_.notify_all();
}

void Pool::drop(std::unique_ptr<Cell> cell) {
  --kinds_[cell->kind()].alive;
  dead_.push_back(std::move(cell));
}

void Pool::bury(std::unique_lock<std::mutex>& lock) {
  auto dead = std::exchange(dead_, {});
  lock.unlock();
  dead.clear();
  lock.lock();
}

void Pool::discard(std::unique_ptr<Cell> cell) {
  std::unique_lock lock(mutex_);
  --busy_;
  drop(std::move(cell));
  work_.notify_one();  // there is room for another
  bury(lock);
}

void Pool::recycle(std::unique_ptr<Cell> cell) {
  const std::lock_guard lock(mutex_);
  --busy_;
  ++kinds_[cell->kind()].cleaning;
  dirty_.push_back(std::move(cell));
  start_makers();
  work_.notify_one();
}

Expected<void> Pool::warm(const CellClass& kind, unsigned cells, api::Until until) {
  std::unique_lock lock(mutex_);
  auto& mine = kinds_[kind];
  mine.floor = std::max(mine.floor, cells);
  mine.used = Clock::now();
  mine.failure.reset();
  start_makers();
  work_.notify_all();
  const bool done = changed_.wait_until(lock, until.deadline.at(),
                                        [&] { return stopping_ || mine.failure || mine.ready.size() >= cells; });
  if (mine.failure) return std::unexpected(*mine.failure);
  if (!done) return fail("at_capacity", "the cells were not ready in time");
  return {};
}

void Pool::resize(unsigned min, unsigned max, unsigned max_cells) {
  const std::lock_guard lock(mutex_);
  options_.min = min, options_.max = max, options_.max_cells = max_cells;
  work_.notify_all();
  changed_.notify_all();
}

// ---- The makers ----

void Pool::start_makers() {
  while (!stopping_ && makers_.size() < options_.makers) makers_.emplace_back(&Pool::work, this);
}

void Pool::work() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    tidy(Clock::now());
    if (!dead_.empty()) bury(lock);
    if (clean_one(lock) || make_one(lock) || check_one(lock)) continue;
    if (!stopping_) work_.wait_until(lock, next_look(Clock::now()));
  }
}

Pool::Clock::time_point Pool::next_look(Clock::time_point now) const {
  auto next = now + kTidyEvery;
  for (const auto& [name, kind] : kinds_)
    for (const auto at : {kind.not_before, undisturbed_until(kind, now)})
      if (at > now) next = std::min(next, at);
  return next;
}

bool Pool::clean_one(std::unique_lock<std::mutex>& lock) {
  if (dirty_.empty()) return false;
  auto cell = std::move(dirty_.front());
  dirty_.pop_front();
  // Warming an interpreter up takes several times as long as starting it, so only where there is time.
  const bool warm = !waiter_for(cell->kind(), cell->tenant) && !hurried(kinds_[cell->kind()], Clock::now());
  lock.unlock();
  const auto clean = source_.clean(*cell, warm, api::Until::seconds(kCleanSeconds, stop_.fd()));
  lock.lock();
  auto& kind = kinds_[cell->kind()];
  --kind.cleaning;
  if (clean) {
    ++reused_;
    put(kind, std::move(cell));
  } else {
    drop(std::move(cell));
  }
  return true;
}

bool Pool::room_for(Kind& kind, bool someone_waits) {
  if (options_.mode == PoolMode::require && kind.alive + kind.making >= std::max(options_.max, kind.floor))
    return false;
  unsigned all = making_;
  for (const auto& [name, one] : kinds_) all += one.alive;
  if (all < options_.max_cells) return true;
  if (!someone_waits) return false;
  // A ready cell makes room for one that somebody waits for: of the class used longest ago. One of the same class can
  // only be another tenant's.
  Kind* oldest = nullptr;
  for (auto& [name, one] : kinds_)
    if (!one.ready.empty() && (!oldest || one.used < oldest->used)) oldest = &one;
  if (!oldest) return false;
  drop(std::move(oldest->ready.front()));
  oldest->ready.erase(oldest->ready.begin());
  return true;
}

bool Pool::make_one(std::unique_lock<std::mutex>& lock) {
  const auto now = Clock::now();
  const CellClass* chosen = nullptr;
  for (const auto* waiter : waiters_) {  // whoever came first
    auto& kind = kinds_[waiter->kind];
    // One that is being cleaned is there long before one that is made now.
    if (kind.making + kind.cleaning < waiting(waiter->kind) && room_for(kind, true)) {
      chosen = &waiter->kind;
      break;
    }
  }
  const bool somebody_waits = chosen != nullptr;
  if (!chosen)
    for (auto& [name, kind] : kinds_)
      if (kind.not_before <= now && undisturbed_until(kind, now) <= now &&
          kind.ready.size() + kind.making + kind.cleaning < wanted(kind, now) && room_for(kind, false)) {
        chosen = &name;
        break;
      }
  if (!chosen) return false;
  const CellClass name = *chosen;
  auto& kind = kinds_[name];
  ++kind.making, ++making_;
  // For somebody who waits an interpreter is started when his program is there: warming one up takes longer. Nor is
  // there time where several wait: then whatever is made goes to one of them.
  const bool warm = !somebody_waits && waiting(name) < 2;
  if (!dead_.empty()) bury(lock);  // what makes room has to be gone first
  lock.unlock();
  auto cell = source_.make(name, warm, api::Until::seconds(kMakeSeconds, stop_.fd()));
  lock.lock();
  --kind.making, --making_;
  if (cell) {
    ++made_, ++kind.alive;
    kind.failures = 0;
    kind.failure.reset();
    kind.not_before = {};
    put(kind, std::move(*cell));
  } else {
    ++failed_;
    kind.not_before = Clock::now() + pause_after(kind.failures++);
    kind.failure = cell.error();
    // Whoever has come meanwhile gets an attempt of his own.
    if (auto* waiter = somebody_waits ? waiter_for(name, "") : nullptr) {
      waiters_.remove(waiter);
      waiter->error = std::move(cell.error());
      waiter->wake();
    }
    changed_.notify_all();
  }
  return true;
}

bool Pool::check_one(std::unique_lock<std::mutex>& lock) {
  const auto now = Clock::now();
  for (auto& [name, kind] : kinds_)
    for (auto at = kind.ready.begin(); at != kind.ready.end(); ++at) {
      if (now - (*at)->proven_at < options_.check_every) continue;
      auto cell = std::move(*at);
      kind.ready.erase(at);
      ++kind.cleaning;
      lock.unlock();
      const auto good = source_.check(*cell, api::Until::seconds(kCheckSeconds, stop_.fd()));
      lock.lock();
      --kind.cleaning;
      if (good) {
        cell->proven_at = Clock::now();
        put(kind, std::move(cell));
      } else {
        drop(std::move(cell));
      }
      return true;
    }
  return false;
}

// What is dead, old or too much goes.
void Pool::tidy(Clock::time_point now) {
  if (now - tidied_ < kTidyEvery) return;
  tidied_ = now;
  for (auto at = kinds_.begin(); at != kinds_.end();) {
    auto& kind = at->second;
    const auto most = std::max(wanted(kind, now), now - kind.used > options_.class_time ? 0u : options_.max);
    std::erase_if(kind.ready, [&](std::unique_ptr<Cell>& cell) {
      if (now - cell->made_at <= options_.max_age && cell->channel().quiet()) return false;
      --kind.alive;
      dead_.push_back(std::move(cell));
      return true;
    });
    while (kind.ready.size() > most) {
      drop(std::move(kind.ready.front()));
      kind.ready.erase(kind.ready.begin());
    }
    const bool forgotten = kind.alive == 0 && kind.making == 0 && kind.floor == 0 && waiting(at->first) == 0 &&
                           now - kind.used > options_.class_time;
    at = forgotten ? kinds_.erase(at) : std::next(at);
  }
}

}  // namespace hotcell::docker
