#include "exec/aside.h"

#include <gtest/gtest.h>

#include <latch>

namespace hotcell::exec {
namespace {

TEST(Aside, work_goes_on_beside_the_caller) {
  Aside aside(1);
  std::latch begun(1), go_on(1);
  int result = 0;
  auto task = aside.start([&] {
    begun.count_down();
    go_on.wait();
    result = 42;
  });
  begun.wait();  // without a thread of its own it would never begin
  go_on.count_down();
  task.wait();
  EXPECT_EQ(result, 42);
}

TEST(Aside, nobody_waits_behind_the_work_of_others) {
  Aside aside(1);
  std::latch begun(1), go_on(1);
  auto long_task = aside.start([&] {
    begun.count_down();
    go_on.wait();
  });
  begun.wait();  // the only thread is taken
  const auto self = std::this_thread::get_id();
  std::thread::id worker;
  auto task = aside.start([&] { worker = std::this_thread::get_id(); });
  task.wait();
  EXPECT_EQ(worker, self) << "who wants the result does the work";
  go_on.count_down();
}

TEST(Aside, each_piece_of_work_is_done_once) {
  std::atomic<unsigned> done = 0;
  {
    Aside aside(3);
    for (int i = 0; i < 2000; ++i) {
      auto first = aside.start([&] { ++done; });
      auto second = aside.start([&] { ++done; });
      second.wait();
    }
  }
  EXPECT_EQ(done, 4000u);
}

TEST(Aside, a_task_that_is_given_up_is_waited_for) {
  Aside aside(2);
  bool done = false;
  {
    const auto task = aside.start([&] { done = true; });
  }
  EXPECT_TRUE(done);
}

TEST(Aside, without_any_thread_the_caller_does_it_all) {
  Aside aside(0);
  int result = 0;
  auto task = aside.start([&] { result = 1; });
  task.wait();
  EXPECT_EQ(result, 1);
}

}  // namespace
}  // namespace hotcell::exec
