// How long a call may wait: until its deadline, or until somebody asks to stop. Every call to the daemon takes one.
#pragma once
#include "base/deadline.h"

namespace hotcell::docker::api {

struct Until {
  Until(Deadline at) : Until(at, at.stop() ? at.stop()->fd() : -1) {}  // a Deadline alone will do
  Until(Deadline at, int stop) : deadline(at), stop_fd(stop) {}
  static Until seconds(double n, int stop = -1) { return {Deadline::after_seconds(n), stop}; }

  Deadline deadline;
  int stop_fd;  // the wait ends with the error "stopped" when this becomes readable; -1: nothing stops it
};

}  // namespace hotcell::docker::api
