// A cell that is used again: the next program finds nothing of the last one.
#include "agent_fixture.h"

namespace hotcell::agent::testing {
namespace {

class AgentReset : public AgentTest {
 protected:
  Cleaned reset(std::uint64_t time_ns = 10'000 * kMillisecond) {
    cell().send(FrameType::reset, Reset{time_ns});
    return cell().expect<Cleaned>(FrameType::cleaned);
  }
  // Every name below the folders that a program can write to.
  std::string everything() {
    return cell()
        .run(bash(), "cd /; find /workspace /tmp /dev/shm /dev/mqueue -mindepth 1 ! -path /workspace/main.sh")
        .out;
  }
};

TEST_F(AgentReset, of_a_cell_that_was_not_used_is_clean_and_removes_nothing) {
  const auto cleaned = reset();
  EXPECT_TRUE(cleaned.clean) << cleaned.problem;
  EXPECT_EQ(cleaned.removed, 0u);
}

TEST_F(AgentReset, removes_files_wherever_they_can_be_written) {
  cell().run(
      bash(),
      "echo 1 > a; mkdir -p d/e/f; echo 2 > d/e/f/g; ln -s /etc l; ln -s / d/root; mkfifo p; echo 3 > /tmp/t\n"
      "echo 4 > /dev/shm/s; echo 5 > .hidden; mkdir d/shut; echo 6 > d/shut/x; chmod 000 d/shut; chmod 555 d/e/f d/e\n"
      "mkdir sticky; chmod 1000 sticky; chmod 500 /workspace");
  const auto cleaned = reset();
  EXPECT_TRUE(cleaned.clean) << cleaned.problem;
  EXPECT_GE(cleaned.removed, 13u);
  EXPECT_EQ(everything(), "");
  EXPECT_EQ(cell().run(bash(), "stat -c %a /workspace /tmp; ls /etc/passwd").out, "700\n700\n/etc/passwd\n");
}

TEST_F(AgentReset, removes_the_odd_names_and_the_deep_trees) {
  auto order = python();
  order.collect_changed = false;
  order.timeout_ns = 60'000 * kMillisecond;
  const auto made = cell().run(
      order,
      "import os\n"
      "for name in b'\\xff', b'new\\nline', b'-rf', b'...', b'a' * 255: os.mkdir(name); open(name + b'/x', 'w')\n"
      "os.chdir('/tmp')\n"
      "for n in range(20000): os.mkdir('d'); os.chdir('d')\n"
      "os.chdir('/dev/shm')\n"
      "for n in range(20000): open(f'f{n}', 'w')\n");
  ASSERT_EQ(made.report.exit_code, 0) << made.err;
  const auto cleaned = reset(60'000 * kMillisecond);
  EXPECT_TRUE(cleaned.clean) << cleaned.problem;
  EXPECT_EQ(cleaned.removed, 40011u);
  EXPECT_EQ(everything(), "");
}

TEST_F(AgentReset, removes_what_outlives_its_process) {
  const auto made = cell().run(
      python(),
      "import ctypes, os\n"
      "libc = ctypes.CDLL(None, use_errno=True)\n"
      "print(libc.shmget(1, 4096, 0o1666) >= 0, libc.semget(2, 3, 0o1666) >= 0, libc.msgget(3, 0o1666) >= 0)\n"
      "print(libc.shmget(4, 4096, 0o1000) >= 0)\n"  // one that nobody may read
      "print(libc.mq_open(b'/queue', os.O_CREAT | os.O_RDWR, 0o600, None) >= 0)\n");
  ASSERT_EQ(made.out, "True True True\nTrue\nTrue\n") << made.err;
  const auto cleaned = reset();
  EXPECT_TRUE(cleaned.clean) << cleaned.problem;
  EXPECT_EQ(cell().run(bash(), "cat /proc/sysvipc/{shm,sem,msg} | wc -l; ls /dev/mqueue").out, "3\n");
}

TEST_F(AgentReset, kills_the_interpreter_that_waits_and_a_new_one_can_be_warmed) {
  cell().warm(Language::python);
  const auto cleaned = reset();
  EXPECT_TRUE(cleaned.clean) << cleaned.problem;
  EXPECT_EQ(cleaned.killed, 1u);
  EXPECT_EQ(cell().processes(), 1u);
  EXPECT_TRUE(cell().warm(Language::python).ready);
  EXPECT_EQ(cell().run(python(), "import os; print(os.listdir())").out, "['main.py']\n");
}

TEST_F(AgentReset, many_times) {
  for (int turn = 0; turn < 10; ++turn) {
    cell().warm(Language::python);
    const auto result = cell().run(python(), "import os; print(os.listdir()); open('x', 'w')");
    EXPECT_EQ(result.out, "['main.py']\n");
    EXPECT_TRUE(result.report.warm);
    ASSERT_TRUE(reset().clean);
  }
}

TEST_F(AgentReset, takes_back_access_lists_and_attributes) {
  cell().run(python(),
             "import os, struct\n"
             "entry = lambda tag, perm: struct.pack('<HHI', tag, perm, 0xffffffff)\n"
             "acl = struct.pack('<I', 2) + entry(1, 0) + entry(4, 0) + entry(32, 0)\n"
             "for name, value in ('system.posix_acl_default', acl), ('user.secret', b'x'):\n"
             "    try: os.setxattr('/workspace', name, value)\n"
             "    except OSError as e: print(name, e)\n");
  const auto cleaned = reset();
  EXPECT_TRUE(cleaned.clean) << cleaned.problem;
  EXPECT_EQ(cell().run(python(), "import os; print(os.listxattr('/workspace')); open('x', 'w'); open('x')").out,
            "[]\n");
}

TEST_F(AgentReset, without_the_time_for_it_is_not_called_clean) {
  cell().run(bash(), "mkdir d; touch d/x");
  const auto cleaned = reset(0);
  EXPECT_FALSE(cleaned.clean);
  EXPECT_NE(cleaned.problem, "");
}

}  // namespace
}  // namespace hotcell::agent::testing
