#include "docker/api/upload.h"

#include <poll.h>

#include <cerrno>
#include <cstdio>

namespace hotcell::docker::api {
namespace {

constexpr std::size_t kChunk = 128 << 10;
constexpr std::size_t kMaxProgress = 16 << 20;  // a build may print a lot, but not for ever
constexpr std::size_t kMaxRefusal = 64 << 10;

}  // namespace

// One chunk of the request's body; the one of no bytes ends it.
Expected<void> Upload::read_tar() {
  std::string bytes(kChunk, '\0');
  const ssize_t got = ::read(tar_fd_, bytes.data(), bytes.size());
  if (got < 0 && (errno == EINTR || errno == EAGAIN)) return {};
  if (got < 0) return fail_errno("cannot read the tar for the Docker daemon");
  bytes.resize(static_cast<std::size_t>(got));
  tar_ended_ = got == 0;
  char size[32];
  std::snprintf(size, sizeof size, "%zx\r\n", bytes.size());
  unsent_ = size + bytes + "\r\n";
  return {};
}

void Upload::send() {
  if (const auto sent = connection_.send_some(unsent_)) {
    unsent_.erase(0, *sent);
  } else {
    // Nobody reads any more. What has been answered says why, or reading finds that the connection is gone.
    unsent_.clear();
    tar_ended_ = true;
  }
}

// What is here now; never waits, since the daemon may be waiting for more of the tar.
Expected<void> Upload::receive(const Line& line) {
  const Until now(Deadline::after(std::chrono::nanoseconds(0)));
  const auto unless_not_yet = [](const Error& error) -> Expected<void> {
    if (error.code == "docker_not_answering") return {};
    return std::unexpected(error);
  };
  if (auto head = connection_.read_head(now); !head) return unless_not_yet(head.error());
  const int status = connection_.answer().status();
  const bool good = status >= 200 && status < 300;
  auto& out = good ? lines_.input() : refused_;
  const auto before = out.size();
  const auto more = connection_.read_body(out, now);
  received_ += out.size() - before;
  if (!more) return unless_not_yet(more.error());
  if (received_ > (good ? kMaxProgress : kMaxRefusal))
    return fail("docker_protocol", "the Docker daemon says more about a tar than anybody would read");
  while (good) {
    const auto next = lines_.next();
    if (!next) return std::unexpected(next.error());
    if (!*next) break;
    line(**next);
  }
  // The last line may lack its end.
  if (good && connection_.answer().done() && !lines_.rest().empty()) line(lines_.rest());
  return {};
}

Expected<void> Upload::run(Until until, const Line& line) {
  while (!connection_.answer().done()) {
    pollfd fds[] = {{connection_.fd(), static_cast<short>(POLLIN | (unsent_.empty() ? 0 : POLLOUT)), 0},
                    {unsent_.empty() && !tar_ended_ ? tar_fd_ : -1, POLLIN, 0},
                    {until.stop_fd, POLLIN, 0}};
    if (poll(fds, 3, until.deadline.poll_ms()) < 0 && errno != EINTR)
      return fail_errno("cannot wait for the Docker daemon");
    if (fds[2].revents || until.deadline.passed()) return wait_for(-1, 0, until);  // it has the words for both
    if (fds[0].revents & ~POLLOUT)
      if (auto received = receive(line); !received) return received;
    if (fds[0].revents & POLLOUT) send();
    if (fds[1].revents)
      if (auto read = read_tar(); !read) return read;
  }
  return {};
}

}  // namespace hotcell::docker::api
