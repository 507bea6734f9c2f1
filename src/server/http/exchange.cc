#include "server/http/exchange.h"

#include <utility>

namespace hotcell::server::http {

void Exchange::respond(Response response) {
  bool awaited = false;
  {
    const std::lock_guard lock(mutex_);
    if (answer_ == Answer::given || answer_ == Answer::taken) return;
    awaited = answer_ == Answer::awaited;
    response_ = std::move(response);
    answer_ = Answer::given;
  }
  if (awaited) poke_();
}

bool Exchange::take(Response& out) {
  const std::lock_guard lock(mutex_);
  if (answer_ != Answer::given) {
    if (answer_ == Answer::none) answer_ = Answer::awaited;
    return false;
  }
  out = std::move(response_);
  answer_ = Answer::taken;
  return true;
}

void Exchange::wake() {
  if (wake_.exchange(Wake::called) == Wake::awaited) poke_();
}

bool Exchange::take_wake() {
  if (wake_.exchange(Wake::none) == Wake::called) return true;
  Wake none = Wake::none;
  return !wake_.compare_exchange_strong(none, Wake::awaited);
}

void Exchange::when_gone(std::function<void()> action) {
  {
    const std::lock_guard lock(mutex_);
    if (!gone_) {
      when_gone_ = std::move(action);
      return;
    }
  }
  if (!finished_) action();
}

void Exchange::client_gone() {
  std::function<void()> action;
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(gone_, true)) return;
    action = std::exchange(when_gone_, nullptr);
  }
  if (action) action();
}

void Exchange::finish() {
  std::function<void()> dropped;
  const std::lock_guard lock(mutex_);
  gone_ = true;
  finished_ = true;
  dropped = std::exchange(when_gone_, nullptr);
}

}  // namespace hotcell::server::http
