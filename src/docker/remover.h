// Removes containers, behind everybody's back: nobody who waits for an answer waits for that.
//
// It knows every container of this process by name, from before it is created until the daemon says that it is gone. So
// whatever else the daemon shows under our owner's name was lost on the way (a create that was answered too late), and
// the sweeper may take it.
//
// Thread-safe. A daemon that cannot be reached is asked again, ever more seldom; what is left when the process ends is
// the sweeper's.
#pragma once
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/deadline.h"
#include "base/error.h"

namespace hotcell::docker {

class Remover {
 public:
  // Removes one container; already gone is success.
  using Remove = std::function<Expected<void>(const std::string& name, Deadline)>;

  explicit Remover(Remove remove, unsigned threads = 2);
  ~Remover() { close(); }  // what is queued stays: see drain()

  // A container that is about to be created. `held` is let go of when it is gone.
  void expect(const std::string& name, std::shared_ptr<const void> held = {});
  // Take it away. It stays known until it is gone. One that ends by itself gets so much patience: then there is nothing
  // left to do for most of them, where killing costs the daemon another process.
  void remove(const std::string& name, std::chrono::milliseconds patience = {});
  // It is gone, or going, without us.
  void forget(const std::string& name);
  bool knows(const std::string& name) const;

  // Waits until everything that was to be removed is; then true. With more threads than usual, since nothing else is to
  // do, and without hope for a daemon that fails again and again. The last thing that is asked of a remover.
  bool drain(Deadline deadline);

  struct Counts {
    std::uint64_t removed = 0, failures = 0;
    std::size_t waiting = 0;
  };
  Counts counts() const;

  // No more removing: returns when no thread is in `remove` any more. What that uses may then go.
  void close();

 private:
  void work();
  void start_threads(unsigned wanted);  // with the mutex held

  const Remove remove_;
  const unsigned usual_threads_;

  mutable std::mutex mutex_;
  std::condition_variable wanted_, done_;
  std::map<std::string, std::shared_ptr<const void>> known_;
  struct Task {
    std::string name;
    Deadline::Clock::time_point not_before{};
    unsigned tries = 0;
  };
  std::deque<Task> tasks_;
  std::size_t in_work_ = 0;
  std::uint64_t removed_ = 0, failures_ = 0;
  bool draining_ = false, stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace hotcell::docker
