// A cell that is used again starts its Python programs as copies of one interpreter, which no program can touch.
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "agent_fixture.h"

namespace hotcell::agent::testing {
namespace {

// Finds it: the agent's child that was there before the program.
constexpr const char* kFindStem =
    "import ctypes, os, resource, signal\n"
    "stem = next(int(name) for name in os.listdir('/proc') if name.isdigit() and name not in ('1', "
    "str(os.getpid())))\n";

class AgentStem : public AgentTest {
 protected:
  void SetUp() override {
    AgentTest::SetUp();
    if (IsSkipped()) return;
    next("pass");  // the first one has a start of its own
    next("pass");
  }
  Result next(std::string_view code, Order order = python(), std::string_view input = {}) {
    auto result = cell().run(std::move(order), code, {}, input);
    cell().send(FrameType::reset, Reset{10'000 * kMillisecond});
    const auto cleaned = cell().expect<Cleaned>(FrameType::cleaned);
    EXPECT_TRUE(cleaned.clean) << cleaned.problem;
    return result;
  }
};

TEST_F(AgentStem, copies_run_programs_as_a_start_of_their_own_would) {
  EXPECT_EQ(cell().processes(), 2u);
  auto order = python();
  order.args = {"one", "two"};
  order.env = {"GIVEN=yes"};
  const auto result = next(
      "import os, sys\n"
      "class Late:\n"
      "    def __del__(self): print('destroyed')\n"
      "late = Late()\n"
      "print(sys.argv, os.environ['GIVEN'], input(), os.getcwd(), __name__, __file__)\n"
      "print(os.getppid(), os.getpgid(0) == os.getsid(0) == os.getpid(), os.listdir('/proc/self/fd')[:3])\n"
      "print(open('/proc/self/cmdline').read().split('\\0'), os.stat('/proc/self/mem').st_uid == os.getuid())\n"
      "sys.exit(7)\n",
      order, "typed\n");
  EXPECT_EQ(result.out,
            "['/workspace/main.py', 'one', 'two'] yes typed /workspace __main__ /workspace/main.py\n"
            "1 True ['0', '1', '2']\n"
            "['python3', '/workspace/main.py', ''] True\n"
            "destroyed\n")
      << result.err;
  EXPECT_EQ(result.report.exit_code, 7);
  EXPECT_TRUE(result.report.warm);
  EXPECT_EQ(cell().processes(), 2u);
}

TEST_F(AgentStem, nothing_of_a_program_is_in_the_next_one) {
  next(
      "import builtins, os, random, sys\n"
      "builtins.mine = 1; os.environ['MINE'] = '1'; os.umask(0o777); os.chdir('/tmp'); sys.path.insert(0, '/mine')\n"
      "import json; json.mine = 1; open('/tmp/mine', 'w')\n");
  const auto result = next(
      "import builtins, json, os, sys\n"
      "print(hasattr(builtins, 'mine'), 'MINE' in os.environ, oct(os.umask(0o22)), '/mine' in sys.path,\n"
      "      hasattr(json, 'mine'), os.listdir('/tmp'))\n");
  EXPECT_EQ(result.out, "False False 0o22 False False []\n") << result.err;
}

TEST_F(AgentStem, each_copy_draws_random_numbers_of_its_own) {
  const auto draw = [&] { return next("import random, uuid; print(random.random(), uuid.uuid4())").out; };
  const auto one = draw(), other = draw();
  EXPECT_NE(one, "");
  EXPECT_NE(one, other);
}

TEST_F(AgentStem, tells_of_an_exception_like_any_other) {
  const auto result = next("def f():\n  raise ValueError('no')\nf()\n");
  ASSERT_TRUE(result.report.uncaught);
  EXPECT_EQ(result.report.uncaught->name, "ValueError");
  EXPECT_EQ(result.report.uncaught->line, 2u);
  EXPECT_EQ(result.err,
            "Traceback (most recent call last):\n  File \"/workspace/main.py\", line 3, in <module>\n    f()\n"
            "  File \"/workspace/main.py\", line 2, in f\n    raise ValueError('no')\nValueError: no\n");
}

TEST_F(AgentStem, cannot_be_looked_into_or_held_back_by_a_program) {
  const auto result =
      next(std::string(kFindStem) +
           "libc = ctypes.CDLL(None, use_errno=True)\n"
           "def refused(what):\n"
           "    ctypes.set_errno(0)\n"
           "    try: done = what()\n"
           "    except OSError as error: return error.errno in (1, 13)\n"
           "    return done == -1 and ctypes.get_errno() in (1, 13)\n"
           "word = ctypes.create_string_buffer(8)\n"
           "print([name for name, what in {\n"
           "    'mem': lambda: open(f'/proc/{stem}/mem', 'rb'), 'maps': lambda: open(f'/proc/{stem}/maps').read(),\n"
           "    'fd': lambda: os.listdir(f'/proc/{stem}/fd'), 'cwd': lambda: os.readlink(f'/proc/{stem}/cwd'),\n"
           "    'oom': lambda: open(f'/proc/{stem}/oom_score_adj', 'w'),\n"
           "    'environ': lambda: open(f'/proc/{stem}/environ').read(),\n"
           "    'attach': lambda: libc.ptrace(16, stem, 0, 0), 'seize': lambda: libc.ptrace(0x4206, stem, 0, 0),\n"
           "    'prlimit': lambda: libc.prlimit(stem, 1, ctypes.create_string_buffer(16), None),\n"
           "    'setpriority': lambda: libc.setpriority(0, stem, 19), 'group': lambda: libc.setpriority(1, stem, 19),\n"
           "    'affinity': lambda: libc.sched_setaffinity(stem, 8, word),\n"
           "    'scheduler': lambda: libc.sched_setscheduler(stem, 5, word),\n"
           "    'ioprio': lambda: libc.syscall(251, 1, stem, 3 << 13),\n"
           "    'getfd': lambda: libc.syscall(438, os.pidfd_open(stem), 0, 0)}.items() if not refused(what)])\n"
           "print(refused(lambda: libc.prlimit(os.getpid(), 7, None, word)))\n");
  EXPECT_EQ(result.out, "[]\nFalse\n") << result.err;
}

TEST_F(AgentStem, that_is_killed_or_stopped_or_interrupted_costs_nobody_a_run) {
  for (const char* blow : {"SIGKILL", "SIGSTOP", "SIGINT", "SIGTERM", "SIGSEGV", "SIGUSR1"}) {
    next(std::string(kFindStem) + "os.kill(stem, signal." + blow + ")");
    next(std::string(kFindStem) + "os.kill(stem, signal.SIGSTOP); os.kill(stem, signal." + blow + ")");
    for (int turn = 0; turn < 3; ++turn) {
      const auto result = next("print(2 + 2)");
      EXPECT_EQ(result.out, "4\n") << blow << turn << result.err;
      EXPECT_EQ(result.report.exit_code, 0) << blow;
    }
    EXPECT_EQ(cell().processes(), 2u) << blow;
  }
}

TEST_F(AgentStem, dies_with_what_a_program_has_left_running) {
  const auto result = next("import os, time\nif os.fork() == 0:\n  os.setsid()\n  time.sleep(60)\n");
  EXPECT_EQ(result.report.left_behind, 1u);
  EXPECT_EQ(cell().processes(), 1u);
  EXPECT_EQ(next("print(2 + 2)").out, "4\n");
  EXPECT_EQ(cell().processes(), 2u);
}

TEST_F(AgentStem, ends_at_a_timeout_like_any_other_and_the_next_one_runs) {
  auto order = python();
  order.timeout_ns = 200 * kMillisecond;
  order.grace_ns = 300 * kMillisecond;
  const auto late = next("import time\ntry: time.sleep(60)\nexcept KeyboardInterrupt: print('interrupted')\n", order);
  EXPECT_EQ(late.report.fate, Fate::timed_out);
  EXPECT_EQ(late.out, "interrupted\n");
  EXPECT_EQ(next("print(2 + 2)").out, "4\n");
}

TEST_F(AgentStem, is_not_copied_for_what_counts_when_an_interpreter_starts) {
  auto order = python();
  order.env = {"PYTHONHASHSEED=0", "LC_ALL=C"};
  const auto result = next("import sys; print(sys.flags.hash_randomization)", order);
  EXPECT_EQ(result.out, "0\n") << result.err;
  EXPECT_EQ(next("import sys; print(sys.flags.hash_randomization)").out, "1\n");
}

// What was installed for one program comes to its copy, too, and is gone in the next.
TEST_F(AgentStem, modules_of_the_programs_own_come_first) {
  const auto result = cell().run(python(), "import json; print(json.mine)", {{"/workspace/json.py", "mine = 'mine'"}});
  EXPECT_EQ(result.out, "mine\n") << result.err;
}

TEST_F(AgentStem, a_copy_can_wait_for_its_program_too) {
  const auto warmed = cell().warm(Language::python);
  EXPECT_TRUE(warmed.ready) << warmed.problem;
  EXPECT_EQ(cell().processes(), 3u);
  const auto result = next("import os; print(os.getppid())");
  EXPECT_EQ(result.out, "1\n") << result.err;
  EXPECT_TRUE(result.report.warm);
  EXPECT_EQ(cell().processes(), 2u);
}

class AgentWithoutStem : public AgentTest {
 protected:
  CellOptions options() override {
    CellOptions out;
    std::ofstream(packages_ / "ctypes.py") << "raise ImportError('none here')\n";
    out.packages = packages_.string();
    out.env.push_back("PYTHONPATH=/opt/packages");
    return out;
  }
  void TearDown() override { std::filesystem::remove_all(packages_); }

 private:
  static std::filesystem::path make_folder() {
    std::string path = (std::filesystem::temp_directory_path() / "stemless-XXXXXX").string();
    const std::filesystem::path made = mkdtemp(path.data());
    std::filesystem::permissions(made, std::filesystem::perms(0755));
    return made;
  }
  const std::filesystem::path packages_ = make_folder();
};

TEST_F(AgentWithoutStem, an_image_that_cannot_have_one_is_not_asked_again) {
  std::vector<int> pids;
  for (int turn = 0; turn < 5; ++turn) {
    const auto result = cell().run(python(), "import os; print(os.getpid())");
    ASSERT_EQ(result.report.exit_code, 0) << result.err;
    pids.push_back(std::stoi(result.out));
    cell().send(FrameType::reset, Reset{10'000 * kMillisecond});
    EXPECT_TRUE(cell().expect<Cleaned>(FrameType::cleaned).clean);
  }
  EXPECT_EQ(pids[2] - pids[1], 1);  // the second one was to be a copy: that took a pid of its own
  EXPECT_EQ(pids[3] - pids[2], 1);
  EXPECT_EQ(pids[1] - pids[0], 2);
}

class AgentStemWithoutRoom : public AgentTestWithLimits {
 protected:
  CellOptions options() override {
    auto out = AgentTestWithLimits::options();
    out.memory_bytes = 24u << 20;
    return out;
  }
};

TEST_F(AgentStemWithoutRoom, takes_nothing_of_what_is_the_programs) {
  for (int turn = 0; turn < 3; ++turn) {
    EXPECT_EQ(cell().run(python(), "print(len(bytearray(8 << 20)))").out, "8388608\n");
    cell().send(FrameType::reset, Reset{10'000 * kMillisecond});
    EXPECT_TRUE(cell().expect<Cleaned>(FrameType::cleaned).clean);
    EXPECT_EQ(cell().processes(), 1u);
  }
}

}  // namespace
}  // namespace hotcell::agent::testing
