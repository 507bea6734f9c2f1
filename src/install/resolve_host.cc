// Asked of getent(1), which every system with a C library like ours has: getaddrinfo() of a static binary is not the
// machine's own, and it knows no deadline.
#include "install/resolve_host.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/fd.h"
#include "base/text.h"

extern char** environ;

namespace hotcell::install {
namespace {

constexpr std::size_t kMostBytes = 64 << 10;
constexpr std::size_t kMostAddresses = 16;

// A child that is waited for, whatever happens.
struct Child {
  pid_t pid;
  ~Child() {
    kill(pid, SIGKILL);
    while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
};

}  // namespace

Expected<std::vector<std::string>> addresses_of(const std::string& host, Deadline deadline) {
  in_addr literal;
  if (inet_pton(AF_INET, host.c_str(), &literal) == 1) return std::vector<std::string>{host};
  int ends[2];
  if (pipe2(ends, O_CLOEXEC)) return fail_errno("cannot make a pipe");
  const Fd from(ends[0]);
  Fd to(ends[1]);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, to.get(), 1);
  posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  const char* argv[] = {"getent", "ahostsv4", host.c_str(), nullptr};
  pid_t pid = 0;
  const int error = posix_spawnp(&pid, "getent", &actions, nullptr, const_cast<char**>(argv), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error) return fail_errno("cannot start getent, which looks up the names of package indexes", error);
  const Child child{pid};
  to.reset();
  std::string text;
  for (;;) {
    pollfd wait[] = {{from.get(), POLLIN, 0}, {deadline.stop() ? deadline.stop()->fd() : -1, POLLIN, 0}};
    const int ready = poll(wait, 2, deadline.poll_ms());
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0 || wait[1].revents)
      return fail("dependency_network", "looking up the name " + host + " took too long",
                  "look at this machine's name servers (/etc/resolv.conf)");
    char bytes[4096];
    const ssize_t got = ::read(from.get(), bytes, sizeof bytes);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0 || text.size() > kMostBytes) break;
    text.append(bytes, static_cast<std::size_t>(got));
  }
  std::vector<std::string> out;
  for (std::string_view rest = text; !rest.empty() && out.size() < kMostAddresses;) {
    auto line = next_line(rest);
    std::string address(next_part(line, ' '));
    if (inet_pton(AF_INET, address.c_str(), &literal) == 1 && std::ranges::find(out, address) == out.end())
      out.push_back(std::move(address));
  }
  return out;
}

}  // namespace hotcell::install
