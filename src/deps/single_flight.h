// Many threads ask for the same thing, one makes it, all get it.
#pragma once
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "base/deadline.h"

namespace hotcell::deps {

// Thread-safe. T is shared by all who waited, so it is const.
template <class T>
class SingleFlight {
 public:
  struct Landing {
    std::shared_ptr<const T> result;  // null: the deadline passed while waiting for another thread
    bool own = false;                 // this thread did the work
  };

  // Runs `work` (which returns a T) unless another thread is at it for the same key; then waits for that one. Who comes
  // after the work is done does it again.
  template <class Work>
  Landing run(const std::string& key, Deadline deadline, Work&& work) {
    std::unique_lock lock(mutex_);
    const auto [place, first] = flights_.try_emplace(key);
    if (!first) {
      const auto flight = place->second;
      const auto landed = [&] { return flight->landed; };
      // Not for longer than somebody who says stop would wait to be heard.
      while (!landed() && !deadline.passed())
        flight->changed.wait_for(lock, std::min<std::chrono::nanoseconds>(deadline.left(), std::chrono::milliseconds(50)));
      return {landed() ? flight->result : nullptr, false};
    }
    const auto flight = place->second = std::make_shared<Flight>();
    lock.unlock();
    // Whatever happens, the others must not wait for ever.
    struct Land {
      SingleFlight& of;
      const std::string& key;
      Flight& flight;
      std::shared_ptr<const T> result;
      ~Land() {
        const std::lock_guard guard(of.mutex_);
        flight.result = std::move(result);
        flight.landed = true;
        of.flights_.erase(key);
        flight.changed.notify_all();
      }
    };
    std::shared_ptr<const T> made;
    {
      Land land{*this, key, *flight, nullptr};
      made = std::make_shared<const T>(work());
      land.result = made;
    }
    return {std::move(made), true};
  }

 private:
  struct Flight {
    std::condition_variable changed;
    bool landed = false;
    std::shared_ptr<const T> result;
  };
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Flight>> flights_;
};

}  // namespace hotcell::deps
