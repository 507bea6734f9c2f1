#include <gtest/gtest.h>

#include <atomic>
#include <semaphore>

#include "docker/remover.h"
#include "docker/uids.h"

namespace hotcell::docker {
namespace {

Deadline soon() { return Deadline::after(std::chrono::seconds(20)); }

TEST(DockerRemover, what_is_removed_is_known_until_it_is_gone) {
  std::binary_semaphore go(0);
  Remover remover([&](const std::string&, Deadline) -> Expected<void> {
    go.acquire();
    return {};
  });
  remover.expect("a");
  EXPECT_TRUE(remover.knows("a"));
  remover.remove("a");
  EXPECT_TRUE(remover.knows("a"));
  EXPECT_FALSE(remover.drain(Deadline::after(std::chrono::milliseconds(1))));
  EXPECT_TRUE(remover.knows("a"));
  go.release();
  EXPECT_TRUE(remover.drain(soon()));
  EXPECT_FALSE(remover.knows("a"));
  EXPECT_EQ(remover.counts().removed, 1u);
}

TEST(DockerRemover, a_uid_is_free_again_when_the_container_is_gone) {
  const auto uids = std::make_shared<Uids>(UidRange{1000, 2});  // room for one at a time
  std::binary_semaphore go(0);
  Remover remover([&](const std::string&, Deadline) -> Expected<void> {
    go.acquire();
    return {};
  });
  auto uid = uids->take();
  ASSERT_TRUE(uid);
  remover.expect("a", *uid);
  uid->reset();
  EXPECT_FALSE(uids->take());
  remover.remove("a");
  EXPECT_FALSE(uids->take());
  go.release();
  EXPECT_TRUE(remover.drain(soon()));
  EXPECT_TRUE(uids->take());
}

TEST(DockerRemover, what_ends_by_itself_has_time_for_that) {
  std::binary_semaphore removed(0);
  Remover remover([&](const std::string&, Deadline) -> Expected<void> {
    removed.release();
    return {};
  });
  const auto begun = Deadline::Clock::now();
  remover.remove("a", std::chrono::milliseconds(60));
  ASSERT_TRUE(removed.try_acquire_for(std::chrono::seconds(20)));
  EXPECT_GE(Deadline::Clock::now() - begun, std::chrono::milliseconds(60));
  remover.remove("b", std::chrono::hours(1));
  EXPECT_TRUE(remover.drain(soon()));  // the end has no patience
  EXPECT_FALSE(remover.knows("b"));
}

TEST(DockerRemover, a_daemon_that_fails_is_asked_again_later) {
  std::atomic<int> calls = 0;
  Remover remover([&](const std::string&, Deadline) -> Expected<void> {
    if (++calls < 4) return fail("docker_unreachable", "no");
    return {};
  });
  const auto begun = Deadline::Clock::now();
  remover.remove("a");
  EXPECT_TRUE(remover.drain(soon()));
  EXPECT_EQ(calls, 4);
  EXPECT_EQ(remover.counts().failures, 3u);
  // 0.1 + 0.2 + 0.4 seconds, of which drain() may cut the first.
  EXPECT_GE(Deadline::Clock::now() - begun, std::chrono::milliseconds(550));
}

TEST(DockerRemover, removals_do_not_wait_for_one_another_when_nothing_else_is_to_do) {
  std::counting_semaphore<> running(0), go(0);
  Remover remover([&](const std::string&, Deadline) -> Expected<void> {
    running.release();
    go.acquire();
    return {};
  });
  for (int i = 0; i < 6; ++i) remover.remove(std::to_string(i));
  remover.drain(Deadline::after(std::chrono::nanoseconds(0)));
  for (int i = 0; i < 6; ++i) ASSERT_TRUE(running.try_acquire_for(std::chrono::seconds(20)));  // all six at once
  go.release(6);
  EXPECT_TRUE(remover.drain(soon()));
}

TEST(DockerRemover, a_daemon_that_only_fails_is_given_up_at_the_end) {
  Remover remover([](const std::string&, Deadline) -> Expected<void> { return fail("docker_unreachable", "no"); });
  remover.remove("a");
  const auto begun = Deadline::Clock::now();
  EXPECT_FALSE(remover.drain(soon()));
  EXPECT_LT(Deadline::Clock::now() - begun, std::chrono::seconds(10));
  EXPECT_TRUE(remover.knows("a"));
}

TEST(DockerRemover, it_ends_with_work_left_to_do) {
  Remover remover([](const std::string&, Deadline) -> Expected<void> { return fail("docker_unreachable", "no"); });
  for (int i = 0; i < 100; ++i) remover.remove(std::to_string(i));
}

}  // namespace
}  // namespace hotcell::docker
