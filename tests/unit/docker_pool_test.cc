#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <latch>
#include <map>
#include <semaphore>
#include <thread>

#include "docker/api/connection.h"
#include "docker/pool.h"

namespace hotcell::docker {
namespace {

using namespace std::chrono_literals;

api::Until soon(int stop = -1) { return {Deadline::after(20s), stop}; }
api::Until now() { return Deadline::after(0s); }

CellClass python() { return {"sha256:a", agent::Language::python, "", 1 << 20}; }
CellClass node() { return {"sha256:a", agent::Language::node, "", 1 << 20}; }

// Cells without containers: one end of a socket pair each. What the pool does with them can be watched and held up.
class FakeCells {
 public:
  CellSource source() {
    return {[this](const CellClass& kind, bool warm, api::Until until) { return make(kind, warm, until); },
            [this](Cell& cell, bool, api::Until) -> Expected<void> {
              ++cleaned;
              cells_cleaned.release();
              if (unclean) return fail("not_clean", "no");
              cell.proven_at = Deadline::Clock::now();
              return {};
            },
            [this](Cell&, api::Until) -> Expected<void> {
              ++checked;
              return {};
            }};
  }

  // The other end of a cell's line.
  Fd& peer(const std::string& name) {
    const std::lock_guard lock(mutex_);
    return peers_.at(name);
  }

  std::atomic<int> made = 0, cleaned = 0, checked = 0, warmed = 0;
  std::atomic<bool> failing = false, unclean = false, held = false, stopped = false;
  std::counting_semaphore<> go{0}, cells_made{0}, cells_cleaned{0};
  std::vector<Deadline::Clock::time_point> attempts;

 private:
  Expected<std::unique_ptr<Cell>> make(const CellClass& kind, bool warm, api::Until until) {
    if (warm) ++warmed;
    if (held) {
      while (!go.try_acquire_for(1ms)) {
        pollfd look{until.stop_fd, POLLIN, 0};
        if (until.stop_fd >= 0 && poll(&look, 1, 0) > 0) {
          stopped = true;
          return fail("stopped", "stopped");
        }
      }
    }
    const std::lock_guard lock(mutex_);
    attempts.push_back(Deadline::Clock::now());
    if (failing) {
      cells_made.release();
      return fail("docker_unreachable", "there is no such socket");
    }
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends)) return fail_errno("socketpair");
    const auto name = "cell-" + std::to_string(++made);
    peers_[name] = Fd(ends[1]);
    auto cell = std::make_unique<Cell>(
        kind, CellSpec{}, name, Channel(api::Attached(std::make_unique<api::Connection>(Fd(ends[0])), "")), remover);
    cell->proven_at = Deadline::Clock::now();
    cells_made.release();
    return cell;
  }

  std::mutex mutex_;
  std::map<std::string, Fd> peers_;

 public:
  // The last member: its threads use the others.
  Remover remover{[this](const std::string& name, Deadline) -> Expected<void> {
    const std::lock_guard lock(mutex_);
    peers_.erase(name);
    return {};
  }};
};

PoolOptions options(PoolMode mode = PoolMode::prefer, unsigned min = 2, unsigned max = 4) {
  PoolOptions out;
  out.mode = mode;
  out.min = min;
  out.max = max;
  return out;
}

class DockerPool : public testing::Test {
 protected:
  // The pool is gone first, then the cells.
  FakeCells cells;
};

TEST_F(DockerPool, after_the_first_run_of_a_class_its_cells_are_ready_before_anyone_asks) {
  Pool pool(cells.source(), options());
  auto first = pool.acquire(python(), "", soon());
  ASSERT_TRUE(first);
  EXPECT_FALSE(first->ready);
  ASSERT_TRUE(pool.warm(python(), 2, soon()));
  auto second = pool.acquire(python(), "", now());
  ASSERT_TRUE(second);
  EXPECT_TRUE(second->ready);
  EXPECT_NE(second->cell->name(), first->cell->name());
  pool.discard(std::move(first->cell));
  pool.discard(std::move(second->cell));
  EXPECT_EQ(cells.warmed + 1, cells.made);  // the first had somebody waiting for it
}

TEST_F(DockerPool, a_class_that_nobody_asked_for_has_no_cells) {
  Pool pool(cells.source(), options());
  ASSERT_TRUE(pool.warm(python(), 2, soon()));
  EXPECT_EQ(cells.made, 2);
  EXPECT_EQ(pool.counts().ready, 2u);
}

TEST_F(DockerPool, off_makes_each_cell_for_its_run_alone) {
  Pool pool(cells.source(), options(PoolMode::off));
  auto lease = pool.acquire(python(), "", soon());
  ASSERT_TRUE(lease);
  EXPECT_FALSE(lease->ready);
  pool.discard(std::move(lease->cell));
  EXPECT_EQ(cells.made, 1);
  EXPECT_EQ(cells.warmed, 0);  // its interpreter would wait for nothing
  EXPECT_EQ(pool.counts().ready, 0u);
}

TEST_F(DockerPool, more_cells_are_kept_ready_when_many_were_taken_lately) {
  Pool pool(cells.source(), options(PoolMode::prefer, 1, 3));
  for (int i = 0; i < 40; ++i) {
    auto lease = pool.acquire(python(), "", soon());
    ASSERT_TRUE(lease);
    pool.discard(std::move(lease->cell));
  }
  // 1 + 40 / 8, but never more than three: and that many come without anybody asking again.
  for (const auto end = Deadline::after(20s); pool.counts().ready < 3;) ASSERT_FALSE(end.passed());
  EXPECT_EQ(pool.counts().ready, 3u);
}

TEST_F(DockerPool, a_cell_that_has_ended_or_speaks_unasked_is_not_handed_out) {
  Pool pool(cells.source(), options(PoolMode::prefer, 2, 2));
  ASSERT_TRUE(pool.warm(python(), 2, soon()));
  cells.peer("cell-1").reset();
  ASSERT_EQ(write(cells.peer("cell-2").get(), "x", 1), 1);
  auto lease = pool.acquire(python(), "", soon());
  ASSERT_TRUE(lease);
  EXPECT_NE(lease->cell->name(), "cell-1");
  EXPECT_NE(lease->cell->name(), "cell-2");
  pool.discard(std::move(lease->cell));
}

TEST_F(DockerPool, a_program_that_has_just_begun_shares_the_processors_with_no_maker) {
  Pool pool(cells.source(), options());
  ASSERT_TRUE(pool.warm(python(), 2, soon()));
  const auto begun = Deadline::Clock::now();
  auto lease = pool.acquire(python(), "", soon());
  ASSERT_TRUE(lease);
  ASSERT_TRUE(pool.warm(python(), 2, soon()));
  EXPECT_EQ(cells.made, 3);
  EXPECT_GE(cells.attempts.back() - begun, 30ms);
  pool.discard(std::move(lease->cell));
}

TEST_F(DockerPool, whoever_came_first_is_served_first) {
  cells.held = true;
  auto some = options(PoolMode::prefer, 0, 0);
  some.makers = 1;
  Pool pool(cells.source(), some);
  std::vector<std::jthread> threads;
  std::mutex mutex;
  std::vector<int> order;
  std::vector<std::unique_ptr<Cell>> kept;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&, i] {
      auto lease = pool.acquire(python(), "", soon());
      const std::lock_guard lock(mutex);
      order.push_back(i);
      if (lease) kept.push_back(std::move(lease->cell));
    });
    while (pool.counts().missed < static_cast<unsigned>(i + 1)) std::this_thread::yield();
  }
  for (unsigned i = 1; i <= 3; ++i) {
    cells.go.release();
    for (;;) {
      const std::lock_guard lock(mutex);
      if (order.size() == i) break;
    }
  }
  threads.clear();
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2}));
  for (auto& cell : kept) pool.discard(std::move(cell));
}

TEST_F(DockerPool, require_never_has_more_cells_than_its_size_and_says_so_at_the_deadline) {
  Pool pool(cells.source(), options(PoolMode::require, 1, 2));
  auto first = pool.acquire(python(), "", soon());
  auto second = pool.acquire(python(), "", soon());
  ASSERT_TRUE(first && second);
  const auto third = pool.acquire(python(), "", now());
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error().code, "at_capacity");
  EXPECT_NE(third.error().message.find("2 are busy"), std::string::npos) << third.error().message;
  EXPECT_EQ(cells.made, 2);
  // A place that becomes free is filled.
  pool.discard(std::move(first->cell));
  auto fourth = pool.acquire(python(), "", soon());
  ASSERT_TRUE(fourth);
  pool.discard(std::move(second->cell));
  pool.discard(std::move(fourth->cell));
}

TEST_F(DockerPool, a_ready_cell_that_nobody_wants_makes_room_for_one_that_somebody_waits_for) {
  auto few = options(PoolMode::prefer, 2, 2);
  few.max_cells = 2;
  Pool pool(cells.source(), few);
  ASSERT_TRUE(pool.warm(python(), 2, soon()));
  auto lease = pool.acquire(node(), "", soon());
  ASSERT_TRUE(lease);
  EXPECT_EQ(lease->cell->kind().language, agent::Language::node);
  pool.discard(std::move(lease->cell));
}

TEST_F(DockerPool, a_daemon_that_fails_is_reported_to_who_waits_and_asked_ever_more_seldom) {
  cells.failing = true;
  Pool pool(cells.source(), options(PoolMode::prefer, 1, 1));
  const auto lease = pool.acquire(python(), "", soon());
  ASSERT_FALSE(lease);
  EXPECT_EQ(lease.error().code, "docker_unreachable");
  // It tries again by itself, to have a cell ready: after 0.25, 0.5 and 1 second.
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(cells.cells_made.try_acquire_for(20s));
  ASSERT_GE(cells.attempts.size(), 4u);
  EXPECT_GE(cells.attempts[1] - cells.attempts[0], 240ms);
  EXPECT_GE(cells.attempts[2] - cells.attempts[1], 490ms);
  EXPECT_GE(cells.attempts[3] - cells.attempts[2], 990ms);
  cells.failing = false;
  auto good = pool.acquire(python(), "", soon());  // who asks does not wait for that
  ASSERT_TRUE(good);
  pool.discard(std::move(good->cell));
}

TEST_F(DockerPool, a_cell_that_comes_back_clean_is_for_its_tenant_only) {
  Pool pool(cells.source(), options(PoolMode::prefer, 0, 4));
  auto lease = pool.acquire(python(), "alice", soon());
  ASSERT_TRUE(lease);
  lease->cell->tenant = "alice";
  const auto name = lease->cell->name();
  pool.recycle(std::move(lease->cell));
  ASSERT_TRUE(cells.cells_cleaned.try_acquire_for(20s));
  while (pool.counts().ready < 1) std::this_thread::yield();

  auto bob = pool.acquire(python(), "bob", soon());
  auto nobody = pool.acquire(python(), "", soon());
  auto alice = pool.acquire(python(), "alice", now());
  ASSERT_TRUE(bob && nobody && alice);
  EXPECT_NE(bob->cell->name(), name);
  EXPECT_NE(nobody->cell->name(), name);
  EXPECT_EQ(alice->cell->name(), name);
  EXPECT_TRUE(alice->ready);
  for (auto* one : {&bob, &nobody, &alice}) pool.discard(std::move((*one)->cell));
}

TEST_F(DockerPool, a_cell_that_cannot_be_cleaned_is_gone) {
  cells.unclean = true;
  Pool pool(cells.source(), options(PoolMode::prefer, 0, 4));
  auto lease = pool.acquire(python(), "alice", soon());
  ASSERT_TRUE(lease);
  lease->cell->tenant = "alice";
  const auto name = lease->cell->name();
  pool.recycle(std::move(lease->cell));
  ASSERT_TRUE(cells.cells_cleaned.try_acquire_for(20s));
  auto again = pool.acquire(python(), "alice", soon());
  ASSERT_TRUE(again);
  EXPECT_NE(again->cell->name(), name);
  pool.discard(std::move(again->cell));
}

TEST_F(DockerPool, cells_that_wait_prove_themselves_again) {
  auto often = options(PoolMode::prefer, 1, 1);
  often.check_every = 20ms;
  Pool pool(cells.source(), often);
  ASSERT_TRUE(pool.warm(python(), 1, soon()));
  for (const auto end = Deadline::after(20s); cells.checked < 3;) ASSERT_FALSE(end.passed());
}

TEST_F(DockerPool, old_cells_are_replaced) {
  auto young = options(PoolMode::prefer, 1, 1);
  young.max_age = 0s;
  Pool pool(cells.source(), young);
  for (int i = 0; i < 3; ++i) {  // it is not waited for: each is replaced once a second
    auto lease = pool.acquire(python(), "", soon());
    ASSERT_TRUE(lease);
    pool.discard(std::move(lease->cell));
  }
  ASSERT_TRUE(pool.warm(python(), 1, soon()));
  const int before = cells.made;
  for (const auto end = Deadline::after(20s); cells.made == before;) {
    ASSERT_FALSE(end.passed());
    std::this_thread::yield();
  }
}

TEST_F(DockerPool, who_waits_can_be_stopped) {
  cells.held = true;
  Pool pool(cells.source(), options());
  protocol::StopToken stop;
  std::jthread stopper([&] {
    while (pool.counts().missed == 0) std::this_thread::yield();
    stop.stop();
  });
  const auto lease = pool.acquire(python(), "", soon(stop.fd()));
  ASSERT_FALSE(lease);
  EXPECT_EQ(lease.error().code, "stopped");
}

TEST_F(DockerPool, it_ends_while_cells_are_being_made) {
  cells.held = true;
  {
    Pool pool(cells.source(), options());
    EXPECT_FALSE(pool.acquire(python(), "", now()));
    while (pool.counts().making == 0) std::this_thread::yield();
  }
  EXPECT_TRUE(cells.stopped);
}

TEST_F(DockerPool, many_threads_at_once_each_get_a_cell_of_their_own) {
  auto wide = options(PoolMode::prefer, 2, 8);
  wide.max_cells = 8;
  Pool pool(cells.source(), wide);
  std::atomic<int> inside = 0, most = 0, failed = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 16; ++i)
      threads.emplace_back([&, i] {
        for (int run = 0; run < 50; ++run) {
          const std::string tenant = i % 3 == 0 ? "alice" : i % 3 == 1 ? "bob" : "";
          auto lease = pool.acquire(i % 2 ? python() : node(), tenant, soon());
          if (!lease) {
            ++failed;
            continue;
          }
          const int here = ++inside;
          for (int seen = most; here > seen && !most.compare_exchange_weak(seen, here);) {
          }
          if (!lease->cell->tenant.empty() && lease->cell->tenant != tenant) ++failed;
          lease->cell->tenant = tenant;
          --inside;
          if (tenant.empty() || run % 5 == 0)
            pool.discard(std::move(lease->cell));
          else
            pool.recycle(std::move(lease->cell));
        }
      });
  }
  EXPECT_EQ(failed, 0);
  EXPECT_LE(most, 8);
}

}  // namespace
}  // namespace hotcell::docker
