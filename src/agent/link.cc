#include "agent/link.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>

#include "base/deadline.h"

namespace hotcell::agent {

Link::Link(int in, int out) : in_(in), out_(out) {
  for (const int fd : {in_, out_}) {
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    fcntl(fd, F_SETFD, FD_CLOEXEC);
  }
}

bool Link::receive() {
  char bytes[64u << 10];
  const ssize_t got = read(in_, bytes, sizeof bytes);
  if (got < 0) return errno == EAGAIN || errno == EINTR;
  reader_.feed({bytes, static_cast<std::size_t>(got)});
  return got > 0;
}

void Link::send(FrameType type, std::string_view payload) { append_frame(queue_, type, payload); }

bool Link::flush() {
  while (!idle()) {
    const ssize_t done = write(out_, queue_.data() + sent_, queue_.size() - sent_);
    if (done < 0 && errno == EINTR) continue;
    if (done < 0 && errno == EAGAIN) {
      // The rest moves to the front now and then, not at each write.
      if (sent_ > kCrowded) {
        queue_.erase(0, sent_);
        sent_ = 0;
      }
      return true;
    }
    if (done <= 0) return false;
    sent_ += static_cast<std::size_t>(done);
  }
  queue_.clear();
  sent_ = 0;
  if (queue_.capacity() > 2 * kCrowded) std::string().swap(queue_);
  return true;
}

void Link::flush_for(int milliseconds) {
  const auto deadline = Deadline::after(std::chrono::milliseconds(milliseconds));
  while (flush() && !idle() && !deadline.passed()) {
    pollfd wait{out_, POLLOUT, 0};
    poll(&wait, 1, deadline.poll_ms());
  }
}

}  // namespace hotcell::agent
