#include "agent/input.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace hotcell::agent {
namespace {

constexpr int kPage = 4096;

}  // namespace

bool InputStream::take(const Input& input) {
  if (gone_) return true;  // what nobody will read
  if (eof_ || input.bytes.size() > allowed_) return false;
  allowed_ -= input.bytes.size();
  eof_ = input.eof;
  waiting_.append(input.bytes);
  return true;
}

void InputStream::start(Fd pipe, bool live, Link& link) {
  pipe_ = std::move(pipe);
  live_ = live;
  fcntl(pipe_.get(), F_SETFL, O_NONBLOCK);
  if (live_) {
    // A pipe of one page has room only when it is empty: then the program has read everything.
    fcntl(pipe_.get(), F_SETPIPE_SZ, kPage);
    window_ = kPage;
    allowed_ = 0;
  }
  pump(link);
}

int InputStream::wants() const {
  const bool more_to_ask = live_ && !eof_ && allowed_ == 0;
  return written_ < waiting_.size() || more_to_ask ? pipe_.get() : -1;
}

void InputStream::ask(Link& link) {
  if (eof_) return;
  const auto used = waiting_.size() - written_ + allowed_;
  if (live_ ? used > 0 : used > window_ / 2) return;
  const auto more = window_ - used;
  allowed_ += more;
  if (live_) window_ = std::min(2 * window_, kInputWindow);
  link.send(FrameType::want_input, WantInput{static_cast<std::uint32_t>(more)}.encode());
}

void InputStream::pump(Link& link) {
  if (!pipe_) return;
  const bool nothing_waited = waiting_.empty();
  while (written_ < waiting_.size()) {
    const ssize_t done = write(pipe_.get(), waiting_.data() + written_, waiting_.size() - written_);
    if (done < 0 && errno == EINTR) continue;
    if (done < 0 && errno == EAGAIN) break;
    if (done <= 0) return stop();  // the program has closed it
    written_ += static_cast<std::size_t>(done);
  }
  if (written_ == waiting_.size()) {
    waiting_.clear();
    written_ = 0;
    if (eof_) return pipe_.reset();
  } else if (written_ > kInputWindow / 2) {
    waiting_.erase(0, written_);
    written_ = 0;
  }
  // What has just gone into the pipe has not been read yet; that it has, the next time that there is room will tell.
  if (!live_ || nothing_waited) ask(link);
}

void InputStream::stop() {
  pipe_.reset();
  std::string().swap(waiting_);
  written_ = 0;
  gone_ = true;
}

}  // namespace hotcell::agent
