// Making a cell as new for the next program of the same tenant: no process, no file, no IPC object of the last one.
//
// Whatever the last program laid out (a hundred thousand nested folders, names of any bytes, folders without any
// permission), emptying takes one descriptor and a constant amount of memory. Links are removed, never followed. What
// cannot be verified is said, and the host then throws the cell away.
#pragma once
#include <sys/types.h>

#include <map>
#include <string>

#include "agent/wire/wire.h"
#include "base/deadline.h"

namespace hotcell::agent {

class Wiper {
 public:
  // Before the first program: the folders at the top of writable mounts get their permissions of now back.
  void remember();
  // So many processes there are, and may stay; none: whatever is there is killed.
  Cleaned wipe(Deadline deadline, unsigned staying = 0);

 private:
  std::string wipe_mounts(std::uint64_t& removed, Deadline deadline);

  std::map<std::string, mode_t> modes_;  // by mount point
};

// The parts. Each adds what it removed, and returns what is wrong: "" when nothing is left.
std::string empty_folder(int folder, std::uint64_t& removed, Deadline deadline);
std::string remove_ipc(std::uint64_t& removed);

}  // namespace hotcell::agent
