// Cells that install packages: one command in the builder image, with a network if need be, and with folders of this
// machine that it may write to; then the cell is gone.
//
// A builder runs tools that we chose, never a program. But what they read was published by strangers, so it is locked
// down and proven like any other cell, line by line. Three things differ: the folders; TCP openings to addresses that
// the operator named and that need not be public; and its uid, which is the same for all builders, because what one has
// downloaded shall serve the next.
#pragma once
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "base/error.h"
#include "docker/lockdown.h"
#include "docker/order.h"
#include "protocol/request.h"
#include "protocol/result.h"

namespace hotcell::docker {

inline constexpr const char* kBuilderImage = "hotcell/builder:latest";

struct BuilderOptions {
  bool enabled = true;      // false: the operator wants no Docker; nothing can be installed
  std::string docker_host;  // as EngineOptions has them
  std::string runtime;
  std::filesystem::path agent, seccomp, state;
  std::string image = kBuilderImage;
  unsigned at_once = 2;  // who comes later waits
  std::uint64_t memory_bytes = 2ull << 30, disk_bytes = 512ull << 20;
  double cpus = 2;
  std::uint64_t pids = 512;
};

struct BuildJob {
  std::vector<std::string> argv;
  Variables env;
  std::vector<protocol::InputFile> files;  // into /workspace, which is memory
  std::vector<Folder> folders;
  bool network = true;
  std::vector<std::string> openings;  // as CellSpec has them
  std::vector<std::string> hosts;     // "index.example:10.0.0.5": names that mean these addresses, and no others
};

// Thread-safe.
class Builder {
 public:
  // Looks at what is here, not at the daemon.
  static Expected<std::unique_ptr<Builder>> create(BuilderOptions options);
  ~Builder();

  // How the command ended, and what it wrote. When this returns nothing of it runs any more. Errors: what keeps the
  // cell from being made ("no_installer" where there is no daemon or no image), "dependency_timeout".
  Expected<protocol::Outcome> run(const BuildJob& job, Deadline deadline);

 private:
  struct State;
  explicit Builder(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace hotcell::docker
