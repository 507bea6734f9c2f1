// How somebody is asked to give up what he does. Another thread, or a signal handler, may ask.
#pragma once
#include <atomic>

namespace hotcell {

// `fd` (or -1) becomes readable when it is set, so that a wait can be ended at once.
class StopToken {
 public:
  StopToken();
  ~StopToken();
  StopToken(const StopToken&) = delete;
  StopToken& operator=(const StopToken&) = delete;
  void stop();  // async-signal-safe
  bool stopped() const { return stopped_.load(std::memory_order_acquire); }
  int fd() const { return fd_; }

 private:
  std::atomic<bool> stopped_{false};
  int fd_ = -1;
};

}  // namespace hotcell
