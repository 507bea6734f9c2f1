// What happened in one execution, in order, for those who listen now and those who come later.
//
// A ring of encoded events. Output goes in as it is written; when the ring is full of what the first listener has not
// read yet, whoever writes the output waits, and with it the program: that is how a slow client slows the program down
// instead of filling our memory. It waits until the program's own time is up and no longer; after that, and when nobody
// listens, the oldest events make room, and a reader learns of them as a gap.
#pragma once
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/events.h"

namespace hotcell::server {

// Thread-safe.
class EventLog {
 public:
  using Clock = std::chrono::steady_clock;
  using What = decltype(protocol::Event::what);

  // `awaited`: there will be a first listener, and it is waited for from the beginning.
  EventLog(std::size_t capacity, Clock::time_point start, bool awaited)
      : capacity_(capacity), start_(start), first_listens_(awaited) {}

  // Never waits.
  void add(What what);
  // Waits for the first listener, until `patience` is over or let_go() is called.
  void add_output(protocol::event::Output output, Clock::time_point patience);
  void let_go();  // nobody has to be waited for any more

  struct Line {
    std::uint64_t seq = 0;
    std::string_view type;
    std::string json;  // with its newline
  };
  // Hands out what comes after `after`, which moves on; about `most` bytes. True: the end has been handed out.
  bool read(std::uint64_t& after, std::size_t most, const std::function<void(const Line&)>& out);
  // The same for the one that is waited for.
  bool read_first(std::uint64_t& after, std::size_t most, const std::function<void(const Line&)>& out);
  void first_leaves();

  // Called after each event, until it returns false. It must not call back.
  void tell(std::function<bool()> listener);

  bool ended() const;
  std::size_t bytes() const;
  double seconds() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }

 private:
  enum class Drop { nothing, what_was_read, anything };  // to make room
  void append(What&& what, Drop drop);
  bool read_locked(std::uint64_t& after, std::size_t most, const std::function<void(const Line&)>& out);

  const std::size_t capacity_;
  const Clock::time_point start_;
  mutable std::mutex mutex_;
  std::condition_variable read_on_;
  std::deque<Line> lines_;
  std::size_t bytes_ = 0;
  std::uint64_t last_ = 0;  // seq of the newest
  bool ended_ = false;

  bool first_listens_, let_go_ = false;
  std::uint64_t first_after_ = 0;
  std::size_t unread_ = 0;  // bytes that the first listener has not read
  std::vector<std::function<bool()>> listeners_;
};

}  // namespace hotcell::server
