// What can native code do inside a worker? A forked child enters the jail and then tries what an attacker would. The
// same attempts without the jail must succeed, or get past the permission check: otherwise they would prove nothing.
#include "wasi/worker/jail.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "base/fd.h"

namespace hotcell::wasi {
namespace {

constexpr std::uint32_t kUid = 1900000001;

struct Surroundings {  // what the parent set up before the fork
  int kept = -1, secret = -1, connected = -1;
  pid_t parent = 0;
};

struct Attempt {
  const char* name;
  long (*attempt)(const Surroundings&);  // >= 0, or -1 and errno
};

// Raw system calls: no library function must hide what the kernel says. All of them do no harm where they are possible:
// the tests try them without the jail too, and a broken jail must cost nobody anything.
const Attempt kAttempts[] = {
    {"open", [](const Surroundings&) { return syscall(SYS_open, "/etc/hostname", O_RDONLY); }},
    {"openat", [](const Surroundings&) { return syscall(SYS_openat, AT_FDCWD, "/", O_RDONLY | O_DIRECTORY); }},
    {"openat2", [](const Surroundings&) { return syscall(SYS_openat2, AT_FDCWD, "/", nullptr, 0); }},
    {"open of /proc/self/mem",
     [](const Surroundings&) { return syscall(SYS_openat, AT_FDCWD, "/proc/self/mem", O_RDWR); }},
    {"creat", [](const Surroundings&) { return syscall(SYS_creat, "/nonexistent-folder/x", 0600); }},
    {"unlink", [](const Surroundings&) { return syscall(SYS_unlink, "/nonexistent-folder/x"); }},
    {"rename",
     [](const Surroundings&) { return syscall(SYS_rename, "/nonexistent-folder/x", "/nonexistent-folder/y"); }},
    {"chmod", [](const Surroundings&) { return syscall(SYS_chmod, "/nonexistent-folder/x", 0); }},
    {"readlink",
     [](const Surroundings&) {
       char b[9];
       return syscall(SYS_readlink, "/proc/self/exe", b, sizeof b);
     }},
    {"stat",
     [](const Surroundings&) {
       char b[999];
       return syscall(SYS_stat, "/", b);
     }},
    {"chdir", [](const Surroundings&) { return syscall(SYS_chdir, "/"); }},
    {"chroot", [](const Surroundings&) { return syscall(SYS_chroot, "/nonexistent-folder"); }},
    {"mount",
     [](const Surroundings&) { return syscall(SYS_mount, "none", "/nonexistent-folder", "tmpfs", 0, nullptr); }},
    {"umount", [](const Surroundings&) { return syscall(SYS_umount2, "/nonexistent-folder", 0); }},
    {"socket", [](const Surroundings&) { return syscall(SYS_socket, AF_INET, SOCK_STREAM, 0); }},
    {"unix socket", [](const Surroundings&) { return syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0); }},
    {"netlink socket", [](const Surroundings&) { return syscall(SYS_socket, AF_NETLINK, SOCK_RAW, 0); }},
    {"socketpair",
     [](const Surroundings&) {
       int e[2];
       return syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, e);
     }},
    {"connect",
     [](const Surroundings& s) {
       sockaddr_un a{};
       a.sun_family = AF_UNIX;
       return syscall(SYS_connect, s.kept, &a, sizeof a);
     }},
    {"bind",
     [](const Surroundings& s) {
       sockaddr_un a{};
       a.sun_family = AF_INET;
       return syscall(SYS_bind, s.kept, &a, sizeof a);
     }},
    {"listen", [](const Surroundings&) { return syscall(SYS_listen, -1, 1); }},
    {"accept", [](const Surroundings&) { return syscall(SYS_accept, -1, nullptr, nullptr); }},
    {"kill of the parent", [](const Surroundings& s) { return syscall(SYS_kill, s.parent, 0); }},
    {"kill of everybody", [](const Surroundings&) { return syscall(SYS_kill, -1, 0); }},
    {"tgkill", [](const Surroundings& s) { return syscall(SYS_tgkill, s.parent, s.parent, 0); }},
    {"tkill", [](const Surroundings& s) { return syscall(SYS_tkill, s.parent, 0); }},
    {"rt_sigqueueinfo", [](const Surroundings& s) { return syscall(SYS_rt_sigqueueinfo, s.parent, 0, nullptr); }},
    {"pidfd_open", [](const Surroundings& s) { return syscall(SYS_pidfd_open, s.parent, 0); }},
    {"pidfd_getfd", [](const Surroundings&) { return syscall(SYS_pidfd_getfd, -1, 0, 0); }},
    {"ptrace", [](const Surroundings& s) { return syscall(SYS_ptrace, PTRACE_PEEKDATA, s.parent, nullptr, nullptr); }},
    {"process_vm_readv",
     [](const Surroundings& s) {
       char b[8];
       iovec to{b, 8}, from{const_cast<Surroundings*>(&s), 8};
       return syscall(SYS_process_vm_readv, s.parent, &to, 1, &from, 1, 0);
     }},
    {"process_vm_writev",
     [](const Surroundings& s) { return syscall(SYS_process_vm_writev, s.parent, nullptr, 0, nullptr, 0, 0); }},
    {"execve", [](const Surroundings&) { return syscall(SYS_execve, "/nonexistent-folder/x", nullptr, nullptr); }},
    {"execveat",
     [](const Surroundings&) { return syscall(SYS_execveat, AT_FDCWD, "/nonexistent-folder/x", nullptr, nullptr, 0); }},
    {"fork",
     [](const Surroundings&) {
       const long pid = syscall(SYS_fork);
       if (pid == 0) _exit(0);
       return pid;
     }},
    {"vfork by clone",
     [](const Surroundings&) {
       const long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
       if (pid == 0) _exit(0);
       return pid;
     }},
    {"clone3", [](const Surroundings&) { return syscall(SYS_clone3, nullptr, 0); }},
    {"unshare", [](const Surroundings&) { return syscall(SYS_unshare, 0); }},
    {"setns", [](const Surroundings&) { return syscall(SYS_setns, -1, 0); }},
    {"setuid", [](const Surroundings&) { return syscall(SYS_setuid, 0); }},
    {"setresuid", [](const Surroundings&) { return syscall(SYS_setresuid, 0, 0, 0); }},
    {"setgid", [](const Surroundings&) { return syscall(SYS_setgid, 0); }},
    {"capset", [](const Surroundings&) { return syscall(SYS_capset, nullptr, nullptr); }},
    {"prctl(PR_SET_DUMPABLE)", [](const Surroundings&) { return syscall(SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0); }},
    {"prctl(PR_SET_PDEATHSIG)", [](const Surroundings&) { return syscall(SYS_prctl, PR_SET_PDEATHSIG, 0, 0, 0, 0); }},
    {"prlimit", [](const Surroundings&) { return syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, nullptr, nullptr); }},
    {"setrlimit", [](const Surroundings&) { return syscall(SYS_setrlimit, RLIMIT_NOFILE, nullptr); }},
    {"ioctl(TIOCSTI)", [](const Surroundings& s) { return syscall(SYS_ioctl, s.kept, TIOCSTI, "x"); }},
    {"ioctl(TIOCLINUX)", [](const Surroundings& s) { return syscall(SYS_ioctl, s.kept, 0x541c, "x"); }},
    {"ioctl with high bits set", [](const Surroundings& s) { return syscall(SYS_ioctl, s.kept, 0x100005412ul, "x"); }},
    {"fcntl", [](const Surroundings& s) { return syscall(SYS_fcntl, s.kept, F_GETFL); }},
    {"dup", [](const Surroundings& s) { return syscall(SYS_dup, s.kept); }},
    {"memfd_create", [](const Surroundings&) { return syscall(SYS_memfd_create, "x", 0); }},
    {"userfaultfd", [](const Surroundings&) { return syscall(SYS_userfaultfd, -1); }},
    {"bpf", [](const Surroundings&) { return syscall(SYS_bpf, 0, nullptr, 0); }},
    {"perf_event_open", [](const Surroundings&) { return syscall(SYS_perf_event_open, nullptr, 0, -1, -1, 0); }},
    {"io_uring_setup", [](const Surroundings&) { return syscall(SYS_io_uring_setup, 0, nullptr); }},
    {"keyctl", [](const Surroundings&) { return syscall(SYS_keyctl, -1, 0, 0, 0, 0); }},
    {"add_key", [](const Surroundings&) { return syscall(SYS_add_key, nullptr, nullptr, nullptr, 0, 0); }},
    {"personality", [](const Surroundings&) { return syscall(SYS_personality, 0xffffffff); }},
    {"seccomp", [](const Surroundings&) { return syscall(SYS_seccomp, 99, 0, nullptr); }},
    {"shmget", [](const Surroundings&) { return syscall(SYS_shmget, 0x7fff1234, 1, 0); }},
    {"timer_create", [](const Surroundings&) { return syscall(SYS_timer_create, CLOCK_MONOTONIC, nullptr, nullptr); }},
    {"a call of the x32 kind", [](const Surroundings&) { return syscall(0x40000000 | 2, "/", O_RDONLY); }},
    {"reading an inherited descriptor",
     [](const Surroundings& s) {
       char b;
       return syscall(SYS_read, s.secret, &b, 1);
     }},
    {"writing to an inherited socket", [](const Surroundings& s) { return syscall(SYS_write, s.connected, "x", 1); }},
    {"reading standard input",
     [](const Surroundings&) {
       pollfd w{0, 0, 0};
       char b;
       return poll(&w, 1, 0) >= 0 && (w.revents & POLLNVAL) ? (errno = EBADF, -1) : syscall(SYS_read, 0, &b, 0);
     }},
};

// Runs `body` in a forked child with a socket to the parent as descriptor `kept`; gives back what it wrote there.
struct Child {
  pid_t pid = -1;
  Fd socket;
  int status = 0;
  std::string said;

  template <class Body>
  explicit Child(Body body) {
    int ends[2], spare[2], pipes[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) || socketpair(AF_UNIX, SOCK_STREAM, 0, spare) || pipe(pipes)) return;
    if (write(pipes[1], "secret", 6) != 6) return;
    const pid_t parent = getpid();
    pid = fork();
    if (pid == 0) {
      Surroundings around{ends[1], pipes[0], spare[0], parent};
      body(around);
      _exit(0);
    }
    for (const int fd : {ends[1], spare[0], spare[1], pipes[0], pipes[1]}) close(fd);
    socket.reset(ends[0]);
  }
  // Up to `size` bytes, or what came before the end.
  std::string read_some(std::size_t size) {
    std::string out(size, '\0');
    std::size_t have = 0;
    for (ssize_t got; have < size && (got = read(socket.get(), out.data() + have, size - have)) > 0;)
      have += static_cast<std::size_t>(got);
    out.resize(have);
    return out;
  }
  void wait() { waitpid(pid, &status, 0); }
};

bool jailed(const Surroundings& around, std::uint32_t uid = kUid) {
  JailOptions options;
  const int keep[] = {around.kept};
  options.keep = keep;
  options.uid = uid;
  return enter_jail(options).has_value();
}

std::vector<int> errors_of_all(bool in_jail) {
  Child child([&](const Surroundings& around) {
    if (in_jail && !jailed(around)) _exit(9);
    for (const auto& attempt : kAttempts) {
      errno = 0;
      const int error = attempt.attempt(around) >= 0 ? 0 : errno;
      if (write(around.kept, &error, sizeof error) != sizeof error) _exit(8);
    }
  });
  std::vector<int> out(std::size(kAttempts), -2);
  const auto said = child.read_some(out.size() * sizeof(int));
  std::memcpy(out.data(), said.data(), said.size());
  child.wait();
  EXPECT_TRUE(WIFEXITED(child.status) && WEXITSTATUS(child.status) == 0) << child.status;
  return out;
}

struct WorkerJail : ::testing::Test {
  void SetUp() override {
    // Changing the uid needs root; without it the jail stays with ours, which the next test covers.
    if (geteuid() != 0) uid_ = 0;
  }
  std::uint32_t uid_ = kUid;
};

TEST_F(WorkerJail, nothing_that_reaches_out_of_the_process_is_possible) {
  const auto errors = errors_of_all(true);
  for (std::size_t i = 0; i < errors.size(); ++i) {
    const bool denied = errors[i] == EPERM || errors[i] == EBADF;
    EXPECT_TRUE(denied) << kAttempts[i].name << ": " << (errors[i] == 0 ? "possible" : strerror(errors[i]));
  }
}

// Without the jail the same attempts work, or fail for another reason than permission.
TEST_F(WorkerJail, the_attempts_can_succeed_where_there_is_no_jail) {
  if (geteuid() != 0) GTEST_SKIP() << "an ordinary user is denied some of them anyway";
  const auto errors = errors_of_all(false);
  int possible = 0;
  for (std::size_t i = 0; i < errors.size(); ++i) {
    const std::string name = kAttempts[i].name;
    possible += errors[i] == 0;
    if (name.starts_with("ioctl") || name == "listen" || name == "accept" || name == "setns" || name == "pidfd_getfd")
      continue;
    EXPECT_NE(errors[i], EPERM) << name;
  }
  EXPECT_GT(possible, 20);
  for (const std::string name :
       {"openat", "socket", "fork", "kill of the parent", "setuid", "reading an inherited descriptor",
        "writing to an inherited socket", "memfd_create", "process_vm_readv"})
    for (std::size_t i = 0; i < errors.size(); ++i)
      if (kAttempts[i].name == name) {
        EXPECT_EQ(errors[i], 0) << name << ": " << strerror(errors[i]);
      }
}

TEST_F(WorkerJail, what_a_worker_needs_still_works) {
  Child child([&](const Surroundings& around) {
    const int pagemap = open("/proc/self/pagemap", O_RDONLY);
    JailOptions options;
    const int keep[] = {pagemap, around.kept};
    options.keep = keep;
    options.uid = uid_;
    if (!enter_jail(options)) _exit(9);
    std::string failed;
    const auto check = [&](bool good, const char* what) {
      if (!good) failed += std::string(what) + " ";
    };
    void* at = mmap(nullptr, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    check(at != MAP_FAILED && mprotect(at, 4096, PROT_READ) == 0 && madvise(at, 4096, MADV_DONTNEED) == 0 &&
              munmap(at, 1 << 20) == 0,
          "memory");
    timespec time{};
    check(clock_gettime(CLOCK_REALTIME, &time) == 0 && clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time) == 0, "clock");
    char bytes[8];
    check(syscall(SYS_getrandom, bytes, 8, 0) == 8, "getrandom");
    check(pread(pagemap, bytes, 8, 0) == 8, "pagemap");
    struct {
      std::uint64_t size, rest[11];
    } scan{sizeof scan, {}};
    const int scanned = ioctl(pagemap, 0xc0606610, &scan);
    check(scanned >= 0 || errno != EPERM, "PAGEMAP_SCAN");
    sigset_t set;
    sigemptyset(&set);
    check(sigprocmask(SIG_BLOCK, &set, nullptr) == 0, "signals");
    failed += "end";
    (void)!write(around.kept, failed.data(), failed.size());
  });
  EXPECT_EQ(child.read_some(200), "end");
  child.wait();
  EXPECT_EQ(child.status, 0);
}

TEST_F(WorkerJail, from_outside_the_process_looks_locked_up) {
  Child child([&](const Surroundings& around) {
    if (!jailed(around, uid_)) _exit(9);
    char byte = 'r';
    (void)!write(around.kept, &byte, 1);
    (void)!read(around.kept, &byte, 1);
  });
  ASSERT_EQ(child.read_some(1), "r");
  const auto proc = std::filesystem::path("/proc") / std::to_string(child.pid);
  std::ifstream file(proc / "status");
  std::string status((std::istreambuf_iterator<char>(file)), {});
  EXPECT_NE(status.find("NoNewPrivs:\t1"), std::string::npos);
  EXPECT_NE(status.find("Seccomp:\t2"), std::string::npos);
  if (uid_) {
    EXPECT_NE(status.find("Uid:\t1900000001\t1900000001\t1900000001\t1900000001"), std::string::npos) << status;
    EXPECT_NE(status.find("Gid:\t1900000001\t1900000001\t1900000001\t1900000001"), std::string::npos);
    EXPECT_NE(status.find("Groups:\t \n"), std::string::npos) << "no groups at all";
    for (const char* set : {"CapInh", "CapPrm", "CapEff"})
      EXPECT_NE(status.find(std::string(set) + ":\t0000000000000000"), std::string::npos) << set;
    std::size_t count = 0;
    for ([[maybe_unused]] const auto& fd : std::filesystem::directory_iterator(proc / "fd")) ++count;
    EXPECT_EQ(count, 1u) << "only the descriptor that was to be kept";
    struct stat st{};
    ASSERT_EQ(stat((proc / "mem").c_str(), &st), 0);
    EXPECT_EQ(st.st_uid, 0u) << "not dumpable: its files in /proc belong to root";
  }
  std::ifstream limits_file(proc / "limits");
  const std::string limits((std::istreambuf_iterator<char>(limits_file)), {});
  EXPECT_NE(limits.find("Max core file size        0                    0"), std::string::npos) << limits;
  EXPECT_NE(limits.find("Max file size             0                    0"), std::string::npos);
  child.socket.reset();
  child.wait();
}

TEST_F(WorkerJail, system_calls_of_another_architecture_kill) {
#ifdef __x86_64__
  Child child([&](const Surroundings& around) {
    if (!jailed(around, uid_)) _exit(9);
    long result = 20;  // getpid of the 32-bit table; the 64-bit one has writev here, which is allowed
    asm volatile("int $0x80" : "+a"(result) : : "memory");
    _exit(0);
  });
  child.wait();
  EXPECT_TRUE(WIFSIGNALED(child.status)) << child.status;
#endif
}

TEST_F(WorkerJail, root_without_a_uid_of_its_own_is_refused) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
  Child child([&](const Surroundings& around) { _exit(jailed(around, 0) ? 1 : 0); });
  child.wait();
  EXPECT_EQ(child.status, 0);
}

TEST_F(WorkerJail, an_ordinary_user_can_enter_it_too) {
  Child child([&](const Surroundings& around) {
    if (geteuid() == 0 && (setgid(1900000002) || setuid(1900000002))) _exit(7);
    if (!jailed(around, 0)) _exit(9);
    _exit(syscall(SYS_socket, AF_INET, SOCK_STREAM, 0) == -1 && errno == EPERM ? 0 : 1);
  });
  child.wait();
  EXPECT_EQ(child.status, 0);
}

TEST_F(WorkerJail, a_compiler_has_little_memory_and_time) {
  Child child([&](const Surroundings& around) {
    JailOptions options;
    const int keep[] = {around.kept};
    options.kind = JailKind::compile;
    options.keep = keep;
    options.uid = uid_;
    options.memory_bytes = 1u << 30;
    options.cpu_seconds = 1;
    if (!enter_jail(options)) _exit(9);
    if (mmap(nullptr, 2ull << 30, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED) _exit(8);
    for (;;) getpid();
  });
  child.wait();
  EXPECT_TRUE(WIFSIGNALED(child.status)) << child.status;
}

}  // namespace
}  // namespace hotcell::wasi
