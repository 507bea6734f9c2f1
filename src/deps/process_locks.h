// Locks between processes that a kill -9 releases, and that know a deadline.
//
// One file stands for any number of locks: lock n is byte n of it, taken with an open-file-description lock, so the
// kernel gives it back when the last descriptor is closed, whatever ended the process. Compared with one flock-ed file
// for each name: no files that pile up, and no race between a process that removes such a file and one that has just
// opened it. Threads exclude each other too, for every lock has a description of its own.
//
// The file lies where no cell can open it: whoever can open a file can lock it, and hold it for ever.
#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "base/deadline.h"
#include "base/error.h"
#include "base/fd.h"

namespace hotcell::deps {

// Thread-safe: nothing changes after open().
class ProcessLocks {
 public:
  enum class Kind { shared, exclusive };

  // Creates the file (0600) in `folder` where it is missing.
  static Expected<ProcessLocks> open(int folder, const char* name);

  // The lock is held while the descriptor is open. nullopt: somebody else has it.
  Expected<std::optional<Fd>> try_lock(std::uint64_t number, Kind kind) const;
  // nullopt: not before the deadline.
  Expected<std::optional<Fd>> lock(std::uint64_t number, Kind kind, Deadline deadline) const;
  // Whether anybody holds it now.
  Expected<bool> held(std::uint64_t number) const;

 private:
  Fd folder_;
  std::string name_;
};

// The number of a lock for a name in hexadecimal (of 16 digits or more).
std::uint64_t lock_number(std::string_view hex_name);

}  // namespace hotcell::deps
