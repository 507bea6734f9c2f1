// However a program tries to stay, it is gone when the agent says so: every process of it.
#include "agent_fixture.h"

namespace hotcell::agent::testing {
namespace {

class AgentEnds : public AgentTest {
 protected:
  // Runs until the timeout, and checks that nothing is left.
  Result timed_out(Order order, std::string_view code, std::uint64_t timeout = 300 * kMillisecond) {
    order.timeout_ns = timeout;
    const auto result = cell().run(std::move(order), code);
    EXPECT_EQ(result.report.fate, Fate::timed_out);
    EXPECT_EQ(cell().processes(), 1u) << "the agent alone";
    return result;
  }
};

TEST_F(AgentEnds, an_endless_loop) {
  for (const char* code : {"while True: pass", "7 ** 7 ** 9"}) {
    const auto result = timed_out(python(), code);
    EXPECT_EQ(result.report.signal, 9);
    EXPECT_GE(result.report.wall_ns, 300 * kMillisecond);
    EXPECT_LT(result.report.wall_ns, 2'000 * kMillisecond);
  }
}

TEST_F(AgentEnds, a_sleeper_that_ignores_every_signal) {
  timed_out(bash(), "trap '' TERM INT HUP QUIT USR1; sleep 1000 & sleep 1000");
}

TEST_F(AgentEnds, a_daemon_that_forked_twice_and_changed_its_session) {
  const auto result = timed_out(python(),
                                "import os, time, signal\n"
                                "for n in range(5):\n"
                                "    if os.fork() == 0:\n"
                                "        os.setsid()\n"
                                "        if os.fork() == 0:\n"
                                "            signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
                                "            while True: time.sleep(1)\n"
                                "        os._exit(0)\n"
                                "print('up', flush=True)\n"
                                "time.sleep(1000)\n");
  EXPECT_EQ(result.out, "up\n");
}

TEST_F(AgentEnds, processes_that_stopped_themselves) { timed_out(bash(), "sleep 1000 & kill -STOP $!; kill -STOP $$"); }

TEST_F(AgentEnds, what_a_program_left_behind_when_it_ended) {
  const auto result = cell().run(bash(), "setsid sleep 1000 & sleep 1000 & (sleep 1000 &) ; echo over");
  EXPECT_EQ(result.report.fate, Fate::ended);
  EXPECT_EQ(result.report.exit_code, 0);
  EXPECT_EQ(result.out, "over\n");
  EXPECT_EQ(result.report.left_behind, 3u);
  EXPECT_EQ(cell().processes(), 1u);
}

TEST_F(AgentEnds, a_node_that_says_farewell_leaves_nobody_and_nothing_behind) {
  const auto result = cell().run(node(),
                                 "require('child_process').spawn('sleep', ['1000'], {detached: true, stdio: 'ignore'})"
                                 ".unref(); console.log('x'.repeat(99999)); process.exitCode = 4");
  EXPECT_EQ(result.report.fate, Fate::ended);
  EXPECT_EQ(result.report.exit_code, 4);
  EXPECT_EQ(result.out.size(), 100'000u);
  EXPECT_EQ(result.report.left_behind, 1u);
  EXPECT_EQ(cell().processes(), 1u);
}

TEST_F(AgentEnds, who_says_farewell_and_stays_is_killed) {
  const auto result = cell().run(node(), "console.log('up'); require('fs').writeSync(3, 'x\\x05'); for (;;);");
  EXPECT_EQ(result.report.fate, Fate::ended);
  EXPECT_EQ(result.report.exit_code, 5);
  EXPECT_EQ(result.out, "up\n");
  for (const auto until = std::chrono::steady_clock::now() + seconds(10); cell().processes() > 1;)
    ASSERT_LT(std::chrono::steady_clock::now(), until);
  EXPECT_EQ(cell().run(bash(), "echo fine").out, "fine\n");
}

TEST_F(AgentEnds, what_was_written_after_the_main_one_ended_is_still_whole_lines_or_nothing) {
  const auto result = cell().run(bash(), "(while true; do echo late; done) & echo main; exit 3");
  EXPECT_EQ(result.report.exit_code, 3);
  EXPECT_EQ(result.report.left_behind, 1u);
  EXPECT_EQ(result.report.out.total, result.out.size());
}

TEST_F(AgentEnds, orphans_are_reaped_while_the_program_runs) {
  const auto result = cell().run(bash(),
                                 "for i in $(seq 20); do (sleep 0 &); done; sleep 0.2\n"
                                 "grep -l '^State:.Z' /proc/[0-9]*/status | wc -l");
  EXPECT_EQ(result.out, "0\n");
}

TEST_F(AgentEnds, what_those_who_started_the_agent_ignore_programs_do_not) {
  const auto before = signal(SIGINT, SIG_IGN);
  const auto result = cell().run(bash(), "kill -INT $$; echo still here");
  signal(SIGINT, before);
  EXPECT_EQ(result.report.signal, SIGINT);
  EXPECT_EQ(result.out, "");
}

TEST_F(AgentEnds, a_soft_stop_lets_python_say_where_it_was) {
  auto order = python();
  order.timeout_ns = 1'500 * kMillisecond;  // a Python that has just begun is not there yet
  order.grace_ns = 5'000 * kMillisecond;
  const auto result = cell().run(order, "import time\ntry:\n    time.sleep(100)\nfinally:\n    print('bye')\n");
  EXPECT_EQ(result.report.fate, Fate::timed_out);
  EXPECT_EQ(result.report.signal, 2);
  EXPECT_EQ(result.out, "bye\n");
  ASSERT_TRUE(result.report.uncaught);
  EXPECT_EQ(result.report.uncaught->name, "KeyboardInterrupt");
  EXPECT_EQ(result.report.uncaught->line, 3u);
}

TEST_F(AgentEnds, a_soft_stop_becomes_a_hard_one) {
  auto order = bash();
  order.grace_ns = 100 * kMillisecond;
  const auto result = [&] {
    order.timeout_ns = 800 * kMillisecond;
    return cell().run(order, "trap 'echo no' TERM INT; while true; do sleep 0.01; done");
  }();
  EXPECT_EQ(result.report.fate, Fate::timed_out);
  EXPECT_EQ(result.report.signal, 9);
  EXPECT_EQ(result.out, "no\n");
}

TEST_F(AgentEnds, when_its_host_says_stop) {
  cell().start(bash(), "echo up; sleep 1000");
  cell().expect<Output>(FrameType::output);
  cell().send(FrameType::stop, Stop{});
  const auto result = cell().finish();
  EXPECT_EQ(result.report.fate, Fate::stopped);
  EXPECT_EQ(result.report.signal, 9);
  cell().send(FrameType::stop, Stop{});  // it has ended already
  EXPECT_EQ(cell().run(bash(), "echo fine").out, "fine\n");
}

TEST_F(AgentEnds, a_hard_stop_makes_the_grace_of_a_soft_one_shorter) {
  cell().start(bash(), "trap '' TERM; echo up; while true; do sleep 0.01; done");
  cell().expect<Output>(FrameType::output);
  cell().send(FrameType::stop, Stop{3'600'000 * kMillisecond});
  cell().send(FrameType::stop, Stop{0});
  EXPECT_EQ(cell().finish().report.fate, Fate::stopped);
}

TEST_F(AgentEnds, cpu_time_is_limited_for_all_processes_together) {
  auto order = bash();
  order.cpu_ns = 300 * kMillisecond;
  const auto result = cell().run(order, "for i in 1 2 3; do (while :; do :; done) & done; wait");
  EXPECT_EQ(result.report.fate, Fate::cpu_exceeded);
  EXPECT_GE(result.report.cpu_ns, 250 * kMillisecond);
  EXPECT_LT(result.report.cpu_ns, 3'000 * kMillisecond);
  // Sleeping is free.
  EXPECT_EQ(cell().run(order, "sleep 0.5").report.fate, Fate::ended);
}

TEST_F(AgentEnds, a_kernel_that_was_killed_is_replaced) {
  ASSERT_TRUE(cell().warm(Language::python).ready);
  // By somebody outside: its pid is the agent's only child.
  FILE* list = fopen(
      ("/proc/" + std::to_string(cell().pid()) + "/task/" + std::to_string(cell().pid()) + "/children").c_str(), "r");
  ASSERT_TRUE(list);
  int kernel = 0;
  ASSERT_EQ(fscanf(list, "%d", &kernel), 1);
  fclose(list);
  ASSERT_EQ(kill(kernel, SIGKILL), 0);
  const auto deadline = Deadline::after(seconds(10));
  while (cell().processes() > 1 && !deadline.passed()) sched_yield();
  const auto result = cell().run(python(), "print('still')");
  EXPECT_EQ(result.out, "still\n");
  EXPECT_FALSE(result.report.warm);
}

class AgentEndsLimited : public AgentTestWithLimits {};

TEST_F(AgentEndsLimited, a_fork_bomb) {
  auto order = bash();
  order.timeout_ns = 1'000 * kMillisecond;
  order.output_bytes = 1000;
  const auto result = cell().run(order, "bomb() { bomb | bomb & }; bomb; sleep 1000");
  EXPECT_EQ(result.report.fate, Fate::timed_out);
  EXPECT_GT(result.report.pids_refused, 0u);
  EXPECT_EQ(cell().processes(), 1u);
  EXPECT_EQ(cell().run(bash(), "echo next").out, "next\n");
}

TEST_F(AgentEndsLimited, a_program_that_eats_all_memory_dies_and_the_agent_lives) {
  cell().warm(Language::python);
  const auto result = cell().run(python(), "x = bytearray(500_000_000)\nprint('never')");
  EXPECT_EQ(result.report.fate, Fate::ended);
  EXPECT_EQ(result.report.signal, 9);
  EXPECT_GE(result.report.oom_kills, 1u);
  EXPECT_GT(result.report.memory_peak, 60u << 20);
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(cell().run(bash(), "echo next").out, "next\n");
}

TEST_F(AgentEndsLimited, children_that_eat_all_memory_are_counted) {
  const auto result = cell().run(python(),
                                 "import subprocess, sys\n"
                                 "p = subprocess.run([sys.executable, '-c', 'x = bytearray(500_000_000)'])\n"
                                 "print(p.returncode)\n");
  EXPECT_EQ(result.out, "-9\n");
  EXPECT_EQ(result.report.exit_code, 0);
  EXPECT_GE(result.report.oom_kills, 1u);
}

TEST_F(AgentEndsLimited, usage_is_this_run_s_own) {
  const auto first = cell().run(bash(), "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done");
  const auto second = cell().run(bash(), ":");
  EXPECT_GT(first.report.cpu_ns, 20 * kMillisecond);
  EXPECT_LT(second.report.cpu_ns, first.report.cpu_ns / 2);
  EXPECT_GT(second.report.memory_peak, 0u);
  EXPECT_EQ(second.report.pids_refused, 0u);
}

class AgentEndsDrowned : public AgentTestWithLimits {
 protected:
  CellOptions options() override {
    auto out = AgentTestWithLimits::options();
    out.disk_size = "500m";  // far more than its memory
    return out;
  }
};

TEST_F(AgentEndsDrowned, a_program_that_fills_all_memory_with_files_dies_and_the_agent_lives) {
  cell().warm(Language::python);
  const auto result = cell().run(python(),
                                 "import os\n"
                                 "for n in range(100):\n"
                                 "    if os.fork() == 0:\n"
                                 "        f = os.open(f'/workspace/f{n}', os.O_CREAT | os.O_WRONLY)\n"
                                 "        while True: os.write(f, b'x' * 4096)\n"
                                 "    os.wait()\n");
  EXPECT_GE(result.report.oom_kills, 1u);
  EXPECT_EQ(cell().processes(), 1u);
  cell().send(FrameType::reset, Reset{10'000 * kMillisecond});
  const auto cleaned = cell().expect<Cleaned>(FrameType::cleaned);
  EXPECT_TRUE(cleaned.clean) << cleaned.problem;
  EXPECT_EQ(cell().run(bash(), "echo next").out, "next\n");
}

}  // namespace
}  // namespace hotcell::agent::testing
