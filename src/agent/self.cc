#include "agent/self.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/guard.h"

namespace hotcell::agent {
namespace {

constexpr int kWorkloadNice = 10;

sigset_t only(int signal_number) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signal_number);
  return set;
}

}  // namespace

Fd harden_self() {
  prctl(PR_SET_DUMPABLE, 0);
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  syscall(SYS_close_range, 3u, ~0u, 0u);
  setsid();
  // Whoever started us may ignore signals (shells do, for what runs in the background); programs would inherit that.
  for (int number = 1; number < NSIG; ++number) signal(number, SIG_DFL);
  signal(SIGPIPE, SIG_IGN);
  const auto children = only(SIGCHLD);
  sigprocmask(SIG_SETMASK, &children, nullptr);
  return Fd(signalfd(-1, &children, SFD_NONBLOCK | SFD_CLOEXEC));
}

void become_ordinary(bool shielded) {
  signal(SIGPIPE, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  setpriority(PRIO_PROCESS, 0, kWorkloadNice);
  // Until it is dumpable, its files in /proc belong to root. A copy of the agent that can be looked into holds nothing
  // worth it, and there is nobody else yet.
  prctl(PR_SET_DUMPABLE, 1);
  if (const int file = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC); file >= 0) {
    (void)!write(file, "1000", 4);
    close(file);
  }
  install_guard(shielded ? getpid() : 1);
}

}  // namespace hotcell::agent
