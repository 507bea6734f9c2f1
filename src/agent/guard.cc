#include "agent/guard.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>

namespace hotcell::agent {
namespace {

#if defined(__x86_64__)
constexpr unsigned kArchitecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr unsigned kArchitecture = AUDIT_ARCH_AARCH64;
#else
#error "the guard does not know this processor's system calls"
#endif
constexpr unsigned kX32Bit = 0x40000000;  // the x32 calls' numbers on x86-64
constexpr unsigned kAgent = 1;            // its pid
constexpr unsigned kOfUser = 2;           // PRIO_USER; for ioprio_set() it is 3
constexpr unsigned kIoOfUser = 3;

constexpr unsigned kRefuse = SECCOMP_RET_ERRNO | EPERM;
constexpr unsigned kUnknown = SECCOMP_RET_ERRNO | ENOSYS;

constexpr sock_filter load(std::size_t offset) {
  return BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<unsigned>(offset));
}
constexpr sock_filter load_argument(unsigned n) { return load(offsetof(seccomp_data, args) + 8 * n); }
constexpr sock_filter answer(unsigned action) { return BPF_STMT(BPF_RET | BPF_K, action); }
// Skips that many instructions when the loaded value is, or is not, this one.
constexpr sock_filter if_equal(unsigned value, unsigned char yes, unsigned char no) {
  return BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, yes, no);
}
constexpr sock_filter if_at_least(unsigned value, unsigned char yes, unsigned char no) {
  return BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, value, yes, no);
}

// Jumps count from the next line on.
constexpr std::array kFilter = std::to_array<sock_filter>({
    // Another architecture's numbers would have to be filtered once more; they are not offered at all.
    /* 0 */ load(offsetof(seccomp_data, arch)),
    /* 1 */ if_equal(kArchitecture, 1, 0),
    /* 2 */ answer(kUnknown),
    /* 3 */ load(offsetof(seccomp_data, nr)),
    /* 4 */ if_at_least(kX32Bit, 0, 1),
    /* 5 */ answer(kUnknown),
    /* 6 */ if_equal(SYS_prlimit64, 7, 0),
    /* 7 */ if_equal(SYS_sched_setparam, 6, 0),
    /* 8 */ if_equal(SYS_sched_setscheduler, 5, 0),
    /* 9 */ if_equal(SYS_sched_setattr, 4, 0),
    /* 10 */ if_equal(SYS_sched_setaffinity, 3, 0),
    /* 11 */ if_equal(SYS_setpriority, 4, 0),
    /* 12 */ if_equal(SYS_ioprio_set, 5, 0),
    /* 13 */ answer(SECCOMP_RET_ALLOW),
    // (pid, ...)
    /* 14 */ load_argument(0),
    /* 15 */ if_equal(kAgent, 7, 6),
    // setpriority(which, who, ...)
    /* 16 */ load_argument(0),
    /* 17 */ if_equal(kOfUser, 5, 2),
    // ioprio_set(which, who, ...)
    /* 18 */ load_argument(0),
    /* 19 */ if_equal(kIoOfUser, 3, 0),
    // who: a process or a process group
    /* 20 */ load_argument(1),
    /* 21 */ if_equal(kAgent, 1, 0),
    /* 22 */ if_equal(kAgent, 0, 1),  // or the other one
    /* 23 */ answer(kRefuse),
    /* 24 */ answer(SECCOMP_RET_ALLOW),
});
constexpr std::size_t kAnother = 22;

}  // namespace

bool install_guard(pid_t another) {
  auto filter = kFilter;
  filter[kAnother] = if_equal(static_cast<unsigned>(another), 0, 1);
  const sock_fprog program{filter.size(), filter.data()};
  return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

bool guard_works() {
  const pid_t child = fork();
  if (child < 0) return false;
  if (child == 0) {
    const bool there = install_guard();
    errno = 0;
    const bool refuses = setpriority(PRIO_USER, 0, 19) != 0 && errno == EPERM;
    _exit(there && refuses ? 0 : 1);
  }
  int status = 1;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace hotcell::agent
