// The HTTP server: one loop, one thread, any number of connections.
//
// One thread is enough: programs run elsewhere, and what happens here for one request takes tens of microseconds. In
// return nothing on the loop needs a lock.
#pragma once
#include <functional>
#include <memory>
#include <vector>

#include "base/deadline.h"
#include "base/error.h"
#include "server/http/door.h"
#include "server/http/limits.h"
#include "server/http/listen.h"

namespace hotcell::server::http {

class Server {
 public:
  Server(Limits limits, Door& door);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // `health_only` is for the door: its peers say it.
  void listen(Listener listener, bool health_only = false);
  std::vector<Address> addresses() const;

  // Serves on the calling thread until stop() has ended everything.
  void run();

  // --- From any thread.

  // No new connections; idle ones end, the others after the answer at hand.
  void drain();
  // Ends what is still there, and run() with it.
  void stop();
  // Runs `work` on the loop.
  void post(std::function<void()> work);
  // Ten times a second on the loop; also what a watchdog wants to see turning. Before run().
  void each_tick(std::function<void()> work);
  // On SIGTERM, SIGINT and SIGHUP, on the loop, with the signal's number.
  void on_signal(std::function<void(int)> action);

  std::size_t connections() const;  // a count for metrics, from any thread
  std::uint64_t body_bytes() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace hotcell::server::http
