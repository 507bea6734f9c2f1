// The end of processes: who has ended and how, and the end of all of them.
#pragma once
#include <sys/resource.h>
#include <sys/types.h>

#include <optional>

#include "base/deadline.h"

namespace hotcell::agent {

struct Ended {
  pid_t pid;
  int status;  // as wait4() says
  rusage usage;
};

// One child that has ended, if there is one: as PID 1 the agent inherits every orphan of the cell. `none_left` is set
// when there are no children at all, dead or alive.
std::optional<Ended> reap(bool& none_left);

// SIGKILL to every process of the cell but the agent. Stopped ones, and such as changed their session, die of it too,
// and none can fork away from it: the kernel walks its list of processes under a lock that fork() needs.
void kill_all();

// How many processes there are besides the agent, dead ones that nobody has reaped included.
unsigned count_processes();

// kill_all(), again and again, until there is none left. False: the deadline came first. Adds what it killed.
bool kill_until_none(Deadline deadline, unsigned& killed);

}  // namespace hotcell::agent
