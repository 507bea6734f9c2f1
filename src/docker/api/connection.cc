#include "docker/api/connection.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

namespace hotcell::docker::api {
namespace {

constexpr std::size_t kChunk = 64 << 10;
// While the daemon's queue of connections is full; poll cannot wait for that.
constexpr std::chrono::milliseconds kQueueFull{5};

std::unexpected<Error> lost(int error_number) {
  return fail("docker_unreachable",
              std::string("the connection to the Docker daemon broke: ") + strerrordesc_np(error_number),
              "is it restarting? Try again, and see its log if this goes on");
}

std::unexpected<Error> cannot_connect(const Endpoint& endpoint, int error_number) {
  const auto at = "cannot connect to the Docker daemon at " + endpoint.socket + ": ";
  switch (error_number) {
    case ENOENT:
      return fail("docker_unreachable", at + "there is no such socket",
                  "start Docker, or set DOCKER_HOST to the socket of the daemon that runs");
    case ECONNREFUSED:
      return fail("docker_unreachable", at + "the socket is there, but nobody listens", "start Docker");
    case EACCES:
      return fail("docker_permission", at + "permission denied",
                  "add this user to the group of that socket (usermod -aG docker USER, then log in again), or run a "
                  "daemon of your own and set DOCKER_HOST; note that access to Docker is as good as root");
    default:
      return fail("docker_unreachable", at + strerrordesc_np(error_number));
  }
}

std::unexpected<Error> too_late() {
  return fail("docker_not_answering", "the Docker daemon did not answer in time",
              "it may be overloaded or frozen: see its log, and try `docker ps`");
}

}  // namespace

Expected<void> wait_for(int fd, short events, Until until) {
  pollfd fds[2] = {{fd, events, 0}, {until.stop_fd, POLLIN, 0}};  // poll skips a descriptor of -1
  for (;;) {
    const int ready = poll(fds, 2, until.deadline.poll_ms());
    if (ready < 0 && errno != EINTR) return fail_errno("cannot wait for the Docker daemon");
    if (ready > 0 && fds[1].revents) return fail("stopped", "stopped while waiting for the Docker daemon");
    if (ready > 0) return {};
    if (until.deadline.passed()) return too_late();
  }
}

Expected<std::unique_ptr<Connection>> Connection::open(const Endpoint& endpoint, Until until) {
  Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) return fail_errno("cannot make a socket");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (endpoint.socket.size() >= sizeof address.sun_path) return cannot_connect(endpoint, ENAMETOOLONG);
  std::memcpy(address.sun_path, endpoint.socket.data(), endpoint.socket.size());
  while (connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address)) {
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return cannot_connect(endpoint, errno);
    if (until.deadline.passed()) return too_late();
    const Until soon(Deadline::after(kQueueFull).sooner(until.deadline), until.stop_fd);
    if (auto waited = wait_for(-1, 0, soon); waited.error().code == "stopped") return std::unexpected(waited.error());
  }
  return std::make_unique<Connection>(std::move(socket));
}

Expected<std::size_t> Connection::send_some(std::string_view bytes) {
  for (;;) {
    const ssize_t sent = ::send(fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) return static_cast<std::size_t>(sent);
    if (errno == EAGAIN) return 0;
    if (errno != EINTR) return lost(errno);
  }
}

Expected<void> Connection::send(std::string_view bytes, Until until) {
  while (!bytes.empty()) {
    const auto sent = send_some(bytes);
    if (!sent) return std::unexpected(sent.error());
    bytes.remove_prefix(*sent);
    if (bytes.empty()) break;
    if (auto ready = wait_for(fd(), POLLOUT, until); !ready) return ready;
  }
  return {};
}

Expected<void> Connection::end_sending() {
  if (shutdown(fd(), SHUT_WR)) return lost(errno);
  return {};
}

Expected<bool> Connection::receive(std::string& out, Until until) {
  char chunk[kChunk];
  for (;;) {
    const ssize_t got = recv(fd(), chunk, sizeof chunk, MSG_DONTWAIT);
    if (got > 0) out.append(chunk, static_cast<std::size_t>(got));
    if (got >= 0) return got > 0;
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return lost(errno);
    if (auto ready = wait_for(fd(), POLLIN, until); !ready) return std::unexpected(ready.error());
  }
}

Expected<void> Connection::read_head(Until until) {
  std::string bytes;
  while (!reader_.head_done()) {
    bytes.clear();
    const auto more = receive(bytes, until);
    if (!more) return std::unexpected(more.error());
    if (auto fed = *more ? reader_.feed(bytes) : reader_.end(); !fed) return fed;
  }
  return {};
}

Expected<bool> Connection::read_body(std::string& out, Until until) {
  std::string bytes;
  const auto before = out.size();
  for (;;) {
    if (auto decoded = reader_.decode(out); !decoded) return std::unexpected(decoded.error());
    if (out.size() > before) return true;
    if (reader_.done()) return false;
    bytes.clear();
    const auto more = receive(bytes, until);
    if (!more) return std::unexpected(more.error());
    if (auto fed = *more ? reader_.feed(bytes) : reader_.end(); !fed) return std::unexpected(fed.error());
  }
}

Expected<std::string> Connection::read_all_body(std::size_t cap, Until until) {
  std::string body;
  for (;;) {
    const auto more = read_body(body, until);
    if (!more) return std::unexpected(more.error());
    if (!*more) return body;
    if (body.size() > cap)
      return fail("docker_protocol",
                  "the answer of the Docker daemon is larger than " + std::to_string(cap) + " bytes");
    if (until.deadline.passed()) return too_late();
  }
}

}  // namespace hotcell::docker::api
