// What passes between a service and systemd (or whoever starts services the same way): READY=1 and its like over the
// notify socket (sd_notify(3)), sockets that were opened before we were started (sd_listen_fds(3)).
#pragma once
#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/fd.h"

namespace hotcell::cli {

class Notifier {
 public:
  // Takes the variables out of the environment: no process that we start shall speak for us. Without NOTIFY_SOCKET
  // nothing is ever sent.
  static Notifier from_environment();

  bool listening() const { return static_cast<bool>(fd_); }
  // "READY=1\nSTATUS=…". A manager that does not listen is no reason to stop serving.
  void send(std::string_view lines) const;
  // How often it must hear of us, so as not to take us for hung; zero: it does not mind.
  std::chrono::microseconds watchdog() const { return watchdog_; }

 private:
  Fd fd_;  // connected
  std::chrono::microseconds watchdog_{0};
};

// CLOCK_MONOTONIC, which RELOADING=1 goes with.
std::string monotonic_usec();

struct Inherited {
  Fd fd;
  std::string name;  // of LISTEN_FDNAMES: "hotcelld.socket"
};
// Those that were opened for this process; the variables are taken away. A number that cannot be is an error.
Expected<std::vector<Inherited>> inherited_sockets();

}  // namespace hotcell::cli
