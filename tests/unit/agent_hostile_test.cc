// A workload that goes for the agent itself. It has the same uid; it must get nowhere.
#include <sched.h>
#include <sys/resource.h>

#include "agent_fixture.h"

namespace hotcell::agent::testing {
namespace {

using AgentUnderAttack = AgentTest;

// Each attempt of the program prints one line; the cell is then as good as new.
#define EXPECT_UNHARMED()                                   \
  EXPECT_EQ(cell().run(bash(), "echo next").out, "next\n"); \
  cell().send(FrameType::prove);                            \
  EXPECT_FALSE(cell().expect<Facts>(FrameType::ready).dumpable)

TEST_F(AgentUnderAttack, cannot_be_signalled) {
  const auto result = cell().run(python(),
                                 "import os, signal\n"
                                 "for n in range(1, 65):\n"
                                 "    try: os.kill(1, n)\n"
                                 "    except OSError as e: print(n, e)\n"
                                 "print('tried')\n");
  EXPECT_TRUE(result.out.ends_with("tried\n")) << result.out << result.err;
  EXPECT_UNHARMED();
}

TEST_F(AgentUnderAttack, survives_a_kill_of_everything) {
  // The kernel spares PID 1 and the caller.
  const auto result = cell().run(bash(), "sleep 100 & kill -KILL -1; echo alone");
  EXPECT_EQ(result.out, "alone\n");
  EXPECT_UNHARMED();
}

TEST_F(AgentUnderAttack, cannot_be_read_or_opened) {
  const auto result =
      cell().run(python(),
                 "import os\n"
                 "def attempt(what):\n"
                 "    try: print(what, open(what, 'rb').read(10))\n"
                 "    except OSError: pass\n"
                 "for name in 'mem', 'environ', 'maps', 'auxv', 'syscall', 'stack', 'fd/0', 'fd/1', 'exe':\n"
                 "    attempt('/proc/1/' + name)\n"
                 "try: print(os.listdir('/proc/1/fd'))\n"
                 "except OSError: pass\n"
                 "try: print(os.readlink('/proc/1/exe'))\n"
                 "except OSError: pass\n"
                 "for name in 'oom_score_adj', 'oom_adj', 'comm', 'timerslack_ns', 'coredump_filter':\n"
                 "    try: os.write(os.open('/proc/1/' + name, os.O_WRONLY), b'1'); print('wrote', name)\n"
                 "    except OSError: pass\n"
                 "print('tried')\n");
  EXPECT_EQ(result.out, "tried\n") << result.err;
  EXPECT_UNHARMED();
}

TEST_F(AgentUnderAttack, cannot_be_traced_nor_have_its_memory_or_descriptors_taken) {
  const auto result = cell().run(
      python(),
      "import ctypes, os\n"
      "libc = ctypes.CDLL(None, use_errno=True)\n"
      "for request in 16, 0x4206:\n"  // ATTACH, SEIZE
      "    if libc.ptrace(request, 1, 0, 0) != -1: print('traced', request)\n"
      "class Piece(ctypes.Structure): _fields_ = [('at', ctypes.c_void_p), ('size', ctypes.c_size_t)]\n"
      "buffer = ctypes.create_string_buffer(8)\n"
      "here, there = Piece(ctypes.addressof(buffer), 8), Piece(0x400000, 8)\n"
      "if libc.process_vm_readv(1, ctypes.byref(here), 1, ctypes.byref(there), 1, 0) != -1: print('read')\n"
      "if libc.process_vm_writev(1, ctypes.byref(here), 1, ctypes.byref(there), 1, 0) != -1: print('written')\n"
      "pidfd = libc.syscall(434, 1, 0)\n"
      "for fd in range(4):\n"
      "    if libc.syscall(438, pidfd, fd, 0) != -1: print('taken', fd)\n"
      "print('tried')\n");
  EXPECT_EQ(result.out, "tried\n") << result.err;
  EXPECT_UNHARMED();
}

TEST_F(AgentUnderAttack, keeps_its_limits_priority_and_processors) {
  const auto result = cell().run(
      python(),
      "import ctypes, os, resource\n"
      "libc = ctypes.CDLL(None, use_errno=True)\n"
      "def attempt(name, call):\n"
      "    try: call(); print(name)\n"
      "    except OSError: pass\n"
      "def must(result):\n"
      "    if result == -1: raise OSError()\n"
      "zero = (0, 0)\n"
      "attempt('cpu', lambda: resource.prlimit(1, resource.RLIMIT_CPU, zero))\n"
      "attempt('files', lambda: resource.prlimit(1, resource.RLIMIT_NOFILE, zero))\n"
      "attempt('nice', lambda: os.setpriority(os.PRIO_PROCESS, 1, 19))\n"
      "attempt('nice group', lambda: os.setpriority(os.PRIO_PGRP, 1, 19))\n"
      "attempt('nice user', lambda: os.setpriority(os.PRIO_USER, 0, 19))\n"
      "attempt('nice user', lambda: os.setpriority(os.PRIO_USER, os.getuid(), 19))\n"
      "attempt('idle', lambda: os.sched_setscheduler(1, os.SCHED_IDLE, os.sched_param(0)))\n"
      "attempt('param', lambda: os.sched_setparam(1, os.sched_param(0)))\n"
      "attempt('processors', lambda: os.sched_setaffinity(1, {0}))\n"
      "attempt('io', lambda: must(libc.syscall(251, 1, 1, 3 << 13)))\n"
      "attempt('io user', lambda: must(libc.syscall(251, 3, os.getuid(), 3 << 13)))\n"
      "class Attributes(ctypes.Structure): _fields_ = [('size', ctypes.c_uint32), ('policy', ctypes.c_uint32), "
      "('rest', ctypes.c_uint64 * 5)]\n"
      "attempt('attributes', lambda: must(libc.syscall(314, 1, ctypes.byref(Attributes(48, 5)), 0)))\n"
      "print('tried')\n"
      // What it may do to itself stays.
      "resource.prlimit(0, resource.RLIMIT_NOFILE, (100, 100)); resource.setrlimit(resource.RLIMIT_CORE, (0, 0))\n"
      "os.setpriority(os.PRIO_PROCESS, 0, 15); os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
      "print(os.getpriority(os.PRIO_PROCESS, 0), resource.getrlimit(resource.RLIMIT_NOFILE))\n");
  EXPECT_EQ(result.out, "tried\n15 (100, 100)\n") << result.err;
  cell().send(FrameType::prove);
  const auto now = cell().expect<Facts>(FrameType::ready);
  EXPECT_EQ(now.nice, facts.nice);
  EXPECT_EQ(now.cpus, facts.cpus);
  ASSERT_EQ(now.rlimits.size(), facts.rlimits.size());
  for (std::size_t i = 0; i < now.rlimits.size(); ++i) EXPECT_EQ(now.rlimits[i].soft, facts.rlimits[i].soft);
  EXPECT_UNHARMED();
}

TEST_F(AgentUnderAttack, its_workload_is_killed_first_and_runs_second) {
  const auto result = cell().run(bash(), "cat /proc/self/oom_score_adj /proc/1/oom_score_adj; nice");
  EXPECT_EQ(result.out, "1000\n0\n10\n");
}

TEST_F(AgentUnderAttack, none_of_its_descriptors_reaches_a_program) {
  for (const auto& [order, code] :
       {std::pair{bash(), "ls /proc/self/fd | wc -l"},
        std::pair{python(), "import subprocess\nsubprocess.run('ls /proc/self/fd | wc -l', shell=True)"},
        std::pair{node(), "console.log(require('child_process').execSync('ls /proc/self/fd | wc -l') + '')"}}) {
    const auto result = cell().run(order, code);
    EXPECT_EQ(result.out.substr(0, 1), "4") << result.out << result.err;  // three, and that of ls itself
  }
}

TEST_F(AgentUnderAttack, a_program_cannot_write_into_its_frames) {
  // What looks like a frame is output like any other.
  std::string forged;
  append_frame(forged, FrameType::report, Report{}.encode());
  append_frame(forged, FrameType::end);
  const auto result = cell().run(command({"cat"}), "", {}, forged);
  EXPECT_EQ(result.out, forged);
  EXPECT_EQ(result.report.exit_code, 0);
  EXPECT_UNHARMED();
}

TEST_F(AgentUnderAttack, a_program_in_another_instruction_set_has_no_way_around_the_guard) {
  // int 0x80: prlimit64 by the number of 32-bit programs.
  const auto result =
      cell().run(python(),
                 "import ctypes, mmap\n"
                 "code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)\n"
                 "# push rbx; mov eax, 20; int 0x80; pop rbx; ret\n"
                 "code.write(bytes.fromhex('53b814000000cd805bc3'))\n"
                 "call = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))\n"
                 "print(call())\n");  // getpid: -ENOSYS
  EXPECT_EQ(result.out, "-38\n") << result.err;
}

class AgentStarved : public AgentTest {
 protected:
  CellOptions options() override {
    CellOptions out;
    out.processes = 30;
    return out;
  }
};

TEST_F(AgentStarved, a_fork_bomb_under_the_user_s_own_limit) {
  auto order = python();
  order.timeout_ns = 500 * kMillisecond;
  const auto result = cell().run(order,
                                 "import os\n"
                                 "while True:\n"
                                 "    try: os.fork()\n"
                                 "    except OSError: pass\n");
  EXPECT_EQ(result.report.fate, Fate::timed_out);
  EXPECT_EQ(cell().processes(), 1u);
  EXPECT_UNHARMED();
}

TEST_F(AgentUnderAttack, exhaustion_of_pipes_sockets_and_descriptors_leaves_it_room) {
  auto order = python();
  const auto result = cell().run(
      order,
      "import os, socket, resource, time\n"
      "kept = []\n"
      "for make in os.pipe, socket.socketpair, lambda: os.memfd_create('x'), lambda: os.open('/dev/null', 0):\n"
      "    try:\n"
      "        while True: kept.append(make())\n"
      "    except OSError as e: print(e.errno)\n");
  EXPECT_EQ(result.report.fate, Fate::ended);
  EXPECT_UNHARMED();
}

}  // namespace
}  // namespace hotcell::agent::testing
