#include "base/stop_token.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

namespace hotcell {

// Without a descriptor (EMFILE) the token still works: who waits on it polls stopped() instead, as fd() == -1 tells.
StopToken::StopToken() : fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

StopToken::~StopToken() {
  if (fd_ >= 0) close(fd_);
}

void StopToken::stop() {
  const int saved = errno;  // may run inside a signal handler
  stopped_.store(true, std::memory_order_release);
  if (fd_ >= 0) {
    const std::uint64_t one = 1;
    // EAGAIN (the counter is full) leaves the descriptor readable, which is all that is wanted.
    [[maybe_unused]] const auto written = write(fd_, &one, sizeof one);
  }
  errno = saved;
}

}  // namespace hotcell
