#include "server/record.h"

#include <utility>

namespace hotcell::server {

Record::State Record::state() const {
  const std::lock_guard lock(mutex_);
  return state_;
}

std::shared_ptr<const Record::Ending> Record::ending() const {
  const std::lock_guard lock(mutex_);
  return ending_;
}

std::size_t Record::bytes() const {
  std::size_t size = sizeof *this + id_.size() + tenant_.size() + (log_ ? log_->bytes() : 0);
  if (const auto end = ending()) {
    if (end->body) size += end->body->size();
    for (const auto& file : end->files) size += file.path.size() + file.content.size();
  }
  return size;
}

void Record::running() {
  const std::lock_guard lock(mutex_);
  if (state_ == State::queued) state_ = State::running;
}

void Record::ended(Ending ending) {
  auto kept = std::make_shared<const Ending>(std::move(ending));
  std::function<void()> dropped;  // outside the lock: it may hold the last reference to much
  const std::lock_guard lock(mutex_);
  state_ = State::finished;
  ending_ = std::move(kept);
  dropped = std::exchange(cancel_, nullptr);
}

void Record::cancel_with(std::function<void()> action) {
  const std::lock_guard lock(mutex_);
  cancel_ = std::move(action);
}

bool Record::cancel() {
  std::function<void()> action;
  {
    const std::lock_guard lock(mutex_);
    if (state_ == State::finished) return false;
    action = cancel_;
  }
  if (action) action();
  return true;
}

}  // namespace hotcell::server
