// Starting a process of the workload: an ordinary one, with three descriptors and a few more, in a session of its own.
#pragma once
#include <sys/types.h>

#include <string>
#include <utility>
#include <vector>

#include "base/fd.h"

namespace hotcell::agent {

struct Launch {
  std::string path;                    // what is executed; without a slash it is looked up in PATH
  std::vector<std::string> argv, env;  // env as NAME=VALUE, complete
  std::string cwd;
  std::vector<std::pair<int, int>> descriptors;  // ours, and the number that it gets; 0, 1 and 2 must be among them
  bool shielded = false;                         // its children can touch its limits as little as the agent's
};

// Where commands are looked for when nothing says otherwise.
inline constexpr const char* kDefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

// A child that cannot run its program says so on its own stderr and exits with 126 or 127, as a shell's child would.
// -1: no child could be made; errno says why.
pid_t spawn(const Launch& launch);

// NAME's value in a list of NAME=VALUE; null: it is not there.
const char* value_in(const std::vector<std::string>& env, std::string_view name);

// Where a command is: a path with a slash is itself; others are looked up in PATH. Empty: nowhere.
std::string find_program(std::string_view command, const std::vector<std::string>& env);

// Both ends close on exec. The second is the write end.
std::pair<Fd, Fd> make_pipe();
std::pair<Fd, Fd> make_socket_pair();

}  // namespace hotcell::agent
