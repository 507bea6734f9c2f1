#include "cli/systemd.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <optional>

#include "base/text.h"

namespace hotcell::cli {

namespace {

constexpr int kFirst = 3;  // of the descriptors that are handed over
constexpr unsigned kMost = 64;

std::string take_variable(const char* name) {
  const char* value = std::getenv(name);
  std::string out = value ? value : "";
  ::unsetenv(name);
  return out;
}

std::optional<std::uint64_t> number_from(const std::string& text) {
  std::uint64_t out = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return !text.empty() && error == std::errc{} && end == text.data() + text.size() ? std::optional(out) : std::nullopt;
}

// The variables name the process that they are for: what its children inherit is not theirs.
bool is_me(const std::string& pid) { return number_from(pid) == static_cast<std::uint64_t>(::getpid()); }

}  // namespace

Notifier Notifier::from_environment() {
  Notifier out;
  const auto path = take_variable("NOTIFY_SOCKET"), pid = take_variable("WATCHDOG_PID"),
             usec = take_variable("WATCHDOG_USEC");
  sockaddr_un where{};
  if (path.size() < 2 || path.size() >= sizeof where.sun_path || (path[0] != '/' && path[0] != '@')) return out;
  where.sun_family = AF_UNIX;
  std::memcpy(where.sun_path, path.data(), path.size());
  if (path[0] == '@') where.sun_path[0] = '\0';  // an abstract name
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
  Fd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd || ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&where), size) != 0) return out;
  out.fd_ = std::move(fd);
  if (pid.empty() || is_me(pid)) out.watchdog_ = std::chrono::microseconds(number_from(usec).value_or(0));
  return out;
}

void Notifier::send(std::string_view lines) const {
  if (fd_) [[maybe_unused]]
    const auto sent = ::send(fd_.get(), lines.data(), lines.size(), MSG_NOSIGNAL);
}

std::string monotonic_usec() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return std::to_string(static_cast<std::uint64_t>(now.tv_sec) * 1'000'000 +
                        static_cast<std::uint64_t>(now.tv_nsec) / 1000);
}

Expected<std::vector<Inherited>> inherited_sockets() {
  const auto pid = take_variable("LISTEN_PID"), count = take_variable("LISTEN_FDS"),
             names = take_variable("LISTEN_FDNAMES");
  std::vector<Inherited> out;
  if (count.empty() || !is_me(pid)) return out;
  const auto number = number_from(count);
  if (!number || *number > kMost)
    return fail("invalid_config",
                "LISTEN_FDS must be a number up to " + std::to_string(kMost) + ", not \"" + count + "\"",
                "it is set by systemd; unset it to start without");
  std::string_view rest = names;
  for (int fd = kFirst; fd < kFirst + static_cast<int>(*number); ++fd) {
    if (::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
      return fail_errno("descriptor " + std::to_string(fd) + " was announced by LISTEN_FDS and is not there");
    out.push_back({Fd(fd), std::string(next_part(rest, ':'))});
  }
  return out;
}

}  // namespace hotcell::cli
