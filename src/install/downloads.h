// What builders have downloaded, for the next ones: so that two sets of packages that share some fetch those once, and
// so that there is something to install from where the network is off.
//
//   <folder>/lock      held shared while a builder uses it
//   <folder>/content/  what builders see as /downloads, and may write to
//
// Nothing of packages is run in those builders, and what is installed from here has its hash checked; so one builder
// cannot give the next anything but what it asked for. When it has grown too large it is thrown away whole.
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>

#include "base/deadline.h"
#include "base/error.h"
#include "base/fd.h"
#include "deps/process_locks.h"

namespace hotcell::install {

class Downloads {
 public:
  // Makes what is missing.
  static Expected<Downloads> open(const std::filesystem::path& folder);

  // While it is held nothing is thrown away.
  Expected<Fd> use(Deadline deadline) const;
  // If it is too large and nobody uses it: nothing is left. A failure is no harm, the next one will try.
  void shrink(std::uint64_t max_bytes) const;

 private:
  Downloads(std::filesystem::path folder, Fd fd, deps::ProcessLocks locks)
      : folder_(std::move(folder)), fd_(std::move(fd)), locks_(std::move(locks)) {}
  Expected<void> make_content() const;

  std::filesystem::path folder_;
  Fd fd_;
  deps::ProcessLocks locks_;
};

}  // namespace hotcell::install
