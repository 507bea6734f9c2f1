// The agent puts itself out of its workload's reach.
//
// Both have the same uid: a container without capabilities has no other. So what one process may do to another of its
// own uid has to be closed, door by door: as PID 1 the agent gets no signal that it does not ask for; it is not
// dumpable and so cannot be traced, read or have its descriptors opened; and what it starts carries a filter (guard.h)
// that keeps its hands off the agent's limits, priority and scheduling.
#pragma once
#include "base/fd.h"

namespace hotcell::agent {

// Call it first of all. Returns a descriptor that becomes readable when a child has ended.
Fd harden_self();

// What each child undoes of it, between fork and exec: it is to be an ordinary process, and the first one to be killed
// when memory runs out. Shielded: what it starts itself can do no more to it than to the agent. Async-signal-safe.
void become_ordinary(bool shielded);

}  // namespace hotcell::agent
