// A filter on every process of the workload: the system calls by which a process could starve or cripple another one of
// its own uid answer EPERM when they are aimed at the agent.
//
// prlimit() on PID 1 could set its CPU time to zero, setpriority() and the sched_ family could see to it that it never
// runs. No capability guards these among processes of one uid, and being undumpable does not either. The container's
// own seccomp profile may say the same; the agent does not rely on it.
#pragma once
#include <sys/types.h>

namespace hotcell::agent {

// Puts the filter on the calling process and all that it will start. Async-signal-safe; needs NoNewPrivs. It keeps them
// off `another` process, too.
bool install_guard(pid_t another = 1);
// Whether it can be put on: tried in a child.
bool guard_works();

}  // namespace hotcell::agent
