#include "p1_guest.h"

namespace hotcell::wasi {
namespace {

using namespace testing;
using namespace abi;

struct FakeSleeper : Sleeper {
  std::vector<std::uint64_t> asked;
  Result next = Result::kElapsed;
  Result sleep_until(std::uint64_t monotonic_ns) override {
    asked.push_back(monotonic_ns);
    return next;
  }
};

struct P1Time : GuestTest {
  static constexpr std::uint32_t kIn = 8192;
  static constexpr std::uint32_t kEvents = 16384;
  std::uint32_t count = 0;
  FakeSleeper sleeper;

  std::uint64_t clock(std::uint32_t id) {
    EXPECT_EQ(call("clock_time_get", {id, 0, kOut}), Errno::kSuccess);
    return out64();
  }
  void subscribe_clock(std::uint64_t userdata, std::uint32_t id, std::uint64_t timeout, std::uint16_t flags = 0) {
    Subscription s{};
    s.userdata = userdata;
    s.tag = static_cast<std::uint8_t>(EventType::kClock);
    s.clock = {.id = id, .padding0 = 0, .timeout = timeout, .precision = 0, .flags = flags, .padding1 = {}};
    memory.store(kIn + 48 * count++, s);
  }
  void subscribe_fd(std::uint64_t userdata, EventType type, std::uint32_t fd) {
    Subscription s{};
    s.userdata = userdata;
    s.tag = static_cast<std::uint8_t>(type);
    s.fd = fd;
    memory.store(kIn + 48 * count++, s);
  }
  Errno poll() {
    const Errno error = call("poll_oneoff", {kIn, kEvents, count, kOut});
    count = 0;
    return error;
  }
  Event event(std::uint32_t index) { return load<Event>(kEvents + 32 * index); }
};

TEST_F(P1Time, real_clocks_move_and_the_monotonic_one_starts_where_it_is_told) {
  config.sleeper = &sleeper;
  config.monotonic_start_ns = 5'000'000'000;
  restart();
  EXPECT_GT(clock(0), 1'600'000'000'000'000'000u);
  const auto first = clock(1);
  EXPECT_GE(first, 5'000'000'000u);
  EXPECT_LT(first, 6'000'000'000u);
  EXPECT_GE(clock(1), first);
  EXPECT_LT(clock(2), 1'000'000'000u);
  EXPECT_LT(clock(3), 1'000'000'000u);
  EXPECT_EQ(call("clock_time_get", {4, 0, kOut}), Errno::kInval);
  EXPECT_EQ(call("clock_time_get", {0, 0, kSize - 7}), Errno::kFault);
  for (std::uint64_t id = 0; id < 4; ++id) EXPECT_EQ(call("clock_res_get", {id, kOut}), Errno::kSuccess);
  EXPECT_EQ(out64(), 1u);
  EXPECT_EQ(call("clock_res_get", {4, kOut}), Errno::kInval);
  EXPECT_EQ(call("clock_res_get", {0, kSize}), Errno::kFault);
}

TEST_F(P1Time, processor_time_moves_with_work_and_not_with_sleep) {
  struct Nap : Sleeper {
    Result sleep_until(std::uint64_t) override {
      const timespec time{0, 200'000'000};
      nanosleep(&time, nullptr);
      return Result::kElapsed;
    }
  } nap;
  config.sleeper = &nap;
  restart();
  subscribe_clock(1, 1, 200'000'000);
  EXPECT_EQ(poll(), Errno::kSuccess);
  const auto first = clock(2);
  EXPECT_LT(first, 150'000'000u) << "the sleep before the first question doesn't count";
  subscribe_clock(1, 1, 200'000'000);
  EXPECT_EQ(poll(), Errno::kSuccess);
  const auto second = clock(3);
  EXPECT_GE(second, first);
  EXPECT_LT(second, 300'000'000u);
  std::uint64_t last = second;
  for (int i = 0; i < 1'000'000 && last == second; ++i) last = clock(2);
  EXPECT_GT(last, second);
}

TEST_F(P1Time, deterministic_clocks_start_at_fixed_times_and_move_by_steps) {
  config.seed = 1;
  config.sleeper = &sleeper;
  config.realtime_start_ns = 1000;
  config.monotonic_start_ns = 50;
  config.clock_step_ns = 10;
  for (int round = 0; round < 2; ++round) {
    restart();
    EXPECT_EQ(clock(0), 1010u);
    EXPECT_EQ(clock(1), 70u);
    EXPECT_EQ(clock(2), 30u);
    const auto fd = opened("tmp/f" + std::to_string(round), oflags::kCreat);
    EXPECT_EQ(filestat(fd).mtim, 1030u);
    subscribe_clock(1, 1, 100);
    EXPECT_EQ(poll(), Errno::kSuccess);
    EXPECT_EQ(clock(1), 50u + 30 + 100 + 10);
    EXPECT_EQ(clock(2), 50u) << "sleeping takes no processor time";
  }
  EXPECT_TRUE(sleeper.asked.empty());
}

TEST_F(P1Time, clocks_can_be_forbidden_while_relative_sleeps_still_work) {
  config.allow_clock = false;
  config.sleeper = &sleeper;
  restart();
  for (std::uint64_t id = 0; id < 4; ++id) {
    EXPECT_EQ(call("clock_time_get", {id, 0, kOut}), Errno::kPerm);
    EXPECT_EQ(call("clock_res_get", {id, kOut}), Errno::kPerm);
  }
  const auto fd = opened("tmp/f", oflags::kCreat);
  EXPECT_EQ(filestat(fd).mtim, config.realtime_start_ns);
  subscribe_clock(1, 1, 3'600'000'000'000);
  EXPECT_EQ(poll(), Errno::kSuccess);
  EXPECT_EQ(sleeper.asked.size(), 1u);
  subscribe_clock(1, 0, 100, kClockAbsolute);
  EXPECT_EQ(poll(), Errno::kSuccess);
  EXPECT_EQ(event(0).error, static_cast<int>(Errno::kPerm));
}

TEST_F(P1Time, the_earliest_of_several_clocks_ends_the_sleep) {
  config.seed = 1;
  restart();
  subscribe_clock(1, 1, 5'000'000'000);
  subscribe_clock(2, 1, 1'000'000'000);
  subscribe_clock(3, 0, config.realtime_start_ns + 1'000'000'000, kClockAbsolute);
  subscribe_clock(4, 0, 2'000'000'000);
  EXPECT_EQ(poll(), Errno::kSuccess);
  ASSERT_EQ(out32(), 2u);
  EXPECT_EQ(event(0).userdata, 2u);
  EXPECT_EQ(event(1).userdata, 3u);
  EXPECT_EQ(event(0).error, 0);
  EXPECT_EQ(event(0).type, 0);
  EXPECT_EQ(clock(1), config.monotonic_start_ns + 1'000'000'000 + config.clock_step_ns);
  subscribe_clock(5, 0, 1, kClockAbsolute);  // long ago
  EXPECT_EQ(poll(), Errno::kSuccess);
  EXPECT_EQ(out32(), 1u);
}

TEST_F(P1Time, a_real_sleep_asks_the_sleeper_and_ends_the_run_when_told) {
  config.sleeper = &sleeper;
  restart();
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  const auto host_now =
      static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
  subscribe_clock(1, 1, 3'600'000'000'000);
  EXPECT_EQ(poll(), Errno::kSuccess);
  EXPECT_EQ(out32(), 1u);
  ASSERT_EQ(sleeper.asked.size(), 1u);
  EXPECT_GE(sleeper.asked[0], host_now + 3'600'000'000'000);
  EXPECT_LT(sleeper.asked[0], host_now + 3'660'000'000'000);
  subscribe_clock(1, 1, UINT64_MAX);
  EXPECT_EQ(poll(), Errno::kSuccess);
  EXPECT_EQ(sleeper.asked[1], UINT64_MAX);

  sleeper.next = Sleeper::Result::kStop;
  subscribe_clock(1, 1, 3'600'000'000'000);
  const auto result = result_of("poll_oneoff", {kIn, kEvents, 1, kOut});
  EXPECT_TRUE(result.stop);
  EXPECT_EQ(host.stop(), Stop::kInterrupted);
}

TEST_F(P1Time, virtual_time_ends_at_its_limit) {
  config.seed = 1;
  config.virtual_time_limit_ns = 1000;
  restart();
  subscribe_clock(1, 1, 900);
  EXPECT_FALSE(result_of("poll_oneoff", {kIn, kEvents, 1, kOut}).stop);
  count = 0;
  subscribe_clock(1, 1, 1'000'000'000'000'000'000);
  EXPECT_TRUE(result_of("poll_oneoff", {kIn, kEvents, 1, kOut}).stop);
  EXPECT_EQ(host.stop(), Stop::kInterrupted);
  EXPECT_EQ(host.monotonic_ns(), config.monotonic_start_ns + 1000);
}

TEST_F(P1Time, descriptors_are_ready_at_once) {
  config.stdin_bytes = bytes_of("12345");
  config.sleeper = &sleeper;
  restart();
  const auto file = opened("tmp/f", oflags::kCreat);
  ASSERT_EQ(write(file, "123"), Errno::kSuccess);
  ASSERT_EQ(call("fd_seek", {file, 1, 0, kOut}), Errno::kSuccess);
  subscribe_fd(1, EventType::kFdRead, 0);
  subscribe_fd(2, EventType::kFdWrite, 1);
  subscribe_fd(3, EventType::kFdRead, file);
  subscribe_fd(4, EventType::kFdRead, 99);
  subscribe_fd(5, EventType::kFdRead, 1);
  subscribe_clock(6, 1, 1'000'000'000);
  subscribe_clock(7, 1, 0);
  EXPECT_EQ(poll(), Errno::kSuccess);
  ASSERT_EQ(out32(), 6u);
  EXPECT_EQ(event(0).nbytes, 5u);
  EXPECT_EQ(event(0).flags, 0);
  EXPECT_EQ(event(1).type, 2);
  EXPECT_EQ(event(2).nbytes, 2u);
  EXPECT_EQ(event(3).error, static_cast<int>(Errno::kBadf));
  EXPECT_EQ(event(4).error, static_cast<int>(Errno::kBadf));
  EXPECT_EQ(event(5).userdata, 7u);
  EXPECT_TRUE(sleeper.asked.empty());
  EXPECT_EQ(read(0), "12345");
  subscribe_fd(1, EventType::kFdRead, 0);
  EXPECT_EQ(poll(), Errno::kSuccess);
  EXPECT_EQ(event(0).flags, kHangup);
}

TEST_F(P1Time, malformed_polls_are_refused) {
  EXPECT_EQ(poll(), Errno::kInval) << "no subscriptions";
  EXPECT_EQ(call("poll_oneoff", {kIn, kEvents, 100'000, kOut}), Errno::kInval);
  EXPECT_EQ(call("poll_oneoff", {kSize - 47, kEvents, 1, kOut}), Errno::kFault);
  EXPECT_EQ(call("poll_oneoff", {kIn, kSize - 31, 1, kOut}), Errno::kFault);
  EXPECT_EQ(call("poll_oneoff", {kIn, kEvents, 1, kSize - 3}), Errno::kFault);
  subscribe_fd(1, static_cast<EventType>(3), 0);
  EXPECT_EQ(poll(), Errno::kInval);
  subscribe_clock(1, 2, 10);
  subscribe_clock(2, 9, 10);
  subscribe_clock(3, 1, 10, 8);
  EXPECT_EQ(poll(), Errno::kSuccess);
  ASSERT_EQ(out32(), 3u);
  EXPECT_EQ(event(0).error, static_cast<int>(Errno::kNotsup));
  EXPECT_EQ(event(1).error, static_cast<int>(Errno::kInval));
  EXPECT_EQ(event(2).error, static_cast<int>(Errno::kInval));
}

}  // namespace
}  // namespace hotcell::wasi
