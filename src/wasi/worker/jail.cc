#include "wasi/worker/jail.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <vector>

namespace hotcell::wasi {
namespace {

// Everything a worker needs once it is set up. Nothing here takes a path, makes a descriptor out of nothing, or names
// another process. What is not listed fails with EPERM.
constexpr int kAllowed[] = {
    SYS_read,           SYS_write,
    SYS_writev,         SYS_pread64,
    SYS_recvmsg,        SYS_sendmsg,
    SYS_poll,           SYS_ppoll,
    SYS_close,          SYS_lseek,
    SYS_fstat,          SYS_getdents64,  // on descriptors that the engine handed over
    SYS_mmap,           SYS_munmap,
    SYS_mprotect,       SYS_madvise,
    SYS_mremap,         SYS_brk,
    SYS_futex,          SYS_sched_yield,
    SYS_getpid,         SYS_gettid,
    SYS_getrusage,      SYS_rt_sigreturn,
    SYS_rt_sigprocmask, SYS_rt_sigaction,
    SYS_sigaltstack,    SYS_restart_syscall,
    SYS_timer_settime,  SYS_clock_gettime,
    SYS_clock_getres,   SYS_clock_nanosleep,
    SYS_getrandom,      SYS_exit,
    SYS_exit_group,
};
// And these with one argument fixed.
struct Allowed {
  int number;
  unsigned argument, value;
};
constexpr unsigned kPagemapScan = 0xc0606610;  // see pages.cc
constexpr Allowed kAllowedOnly[] = {
    {SYS_ioctl, 1, kPagemapScan}, {SYS_sched_setaffinity, 0, 0},  // its own
};

sock_filter statement(unsigned code, unsigned k) { return BPF_STMT(static_cast<unsigned short>(code), k); }
sock_filter jump(unsigned code, unsigned k, unsigned yes, unsigned no) {
  return BPF_JUMP(static_cast<unsigned short>(code), k, static_cast<unsigned char>(yes),
                  static_cast<unsigned char>(no));
}

std::vector<sock_filter> make_filter() {
  constexpr unsigned kAllow = SECCOMP_RET_ALLOW, kDeny = SECCOMP_RET_ERRNO | EPERM;
  const auto load = [](std::size_t offset) {
    return statement(BPF_LD | BPF_W | BPF_ABS, static_cast<unsigned>(offset));
  };
  std::vector<sock_filter> out = {
      load(offsetof(seccomp_data, arch)),
      jump(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
      statement(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),  // another architecture's numbers mean other calls
      load(offsetof(seccomp_data, nr)),
  };
  for (const int number : kAllowed) {
    out.push_back(jump(BPF_JMP | BPF_JEQ | BPF_K, static_cast<unsigned>(number), 0, 1));
    out.push_back(statement(BPF_RET | BPF_K, kAllow));
  }
  for (const auto& [number, argument, value] : kAllowedOnly) {
    out.push_back(load(offsetof(seccomp_data, nr)));
    out.push_back(jump(BPF_JMP | BPF_JEQ | BPF_K, static_cast<unsigned>(number), 0, 3));
    out.push_back(load(offsetof(seccomp_data, args) + argument * sizeof(std::uint64_t)));  // its lower half
    out.push_back(jump(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1));
    out.push_back(statement(BPF_RET | BPF_K, kAllow));
  }
  out.push_back(statement(BPF_RET | BPF_K, kDeny));
  return out;
}

Expected<void> close_all_but(std::span<const int> keep) {
  std::vector<int> sorted(keep.begin(), keep.end());
  std::sort(sorted.begin(), sorted.end());
  unsigned from = 0;
  for (const int fd : sorted) {
    if (static_cast<unsigned>(fd) > from && close_range(from, static_cast<unsigned>(fd) - 1, 0))
      return fail_errno("cannot close descriptors");
    from = static_cast<unsigned>(fd) + 1;
  }
  if (close_range(from, ~0u, 0)) return fail_errno("cannot close descriptors");
  return {};
}

Expected<void> set_limits(const JailOptions& options) {
  const auto limit = [](int what, rlim_t value) {
    const rlimit both{value, value};
    return setrlimit(static_cast<__rlimit_resource_t>(what), &both) == 0;
  };
  bool good = limit(RLIMIT_CORE, 0) && limit(RLIMIT_FSIZE, 0) && limit(RLIMIT_MEMLOCK, 0) && limit(RLIMIT_NOFILE, 64) &&
              limit(RLIMIT_MSGQUEUE, 0);
  if (options.memory_bytes) good = good && limit(RLIMIT_AS, options.memory_bytes);
  if (options.cpu_seconds) good = good && limit(RLIMIT_CPU, options.cpu_seconds);
  if (!good) return fail_errno("cannot set resource limits");
  return {};
}

Expected<void> become(std::uint32_t uid) {
  if (uid == 0) {
    if (geteuid() == 0) return fail("internal", "a worker must not stay root");
    return {};
  }
  if (setgroups(0, nullptr) || setresgid(uid, uid, uid) || setresuid(uid, uid, uid))
    return fail_errno("cannot change to the worker's own uid");
  return {};
}

// No rules: every access that this kernel's Landlock knows is denied, whatever the file modes say.
Expected<bool> close_file_system() {
  const long abi = syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (abi < 1) return false;
  // The numbers of known accesses grew with the versions: 13, 14 (refer), 15 (truncate), 15, 16 (ioctl on devices).
  const std::uint64_t known[] = {13, 14, 15, 15, 16};
  landlock_ruleset_attr attributes{};
  attributes.handled_access_fs = (1ull << known[std::min<long>(abi, 5) - 1]) - 1;
  const long ruleset = syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0);
  if (ruleset < 0) return fail_errno("cannot make a Landlock ruleset");
  const long restricted = syscall(SYS_landlock_restrict_self, ruleset, 0);
  close(static_cast<int>(ruleset));
  if (restricted) return fail_errno("cannot enter the Landlock domain");
  return true;
}

Expected<void> filter_system_calls() {
  auto filter = make_filter();
  const sock_fprog program{static_cast<unsigned short>(filter.size()), filter.data()};
  if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program))
    return fail_errno("cannot install the system call filter");
  return {};
}

}  // namespace

Expected<JailReport> enter_jail(const JailOptions& options) {
  JailReport report;
  if (auto done = close_all_but(options.keep); !done) return std::unexpected(done.error());
  if (auto done = set_limits(options); !done) return std::unexpected(done.error());
  if (auto done = become(options.uid); !done) return std::unexpected(done.error());
  // Only now: changing the uid clears both.
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) || prctl(PR_SET_DUMPABLE, 0)) return fail_errno("prctl failed");
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) return fail_errno("cannot set no_new_privs");
  auto landlocked = close_file_system();
  if (!landlocked) return std::unexpected(landlocked.error());
  report.landlocked = *landlocked;
  if (auto done = filter_system_calls(); !done) return std::unexpected(done.error());
  return report;
}

}  // namespace hotcell::wasi
