// The engines that this machine has, as the executor wants to know them: the one place of the command line that makes
// concrete ones.
#pragma once
#include <memory>
#include <mutex>

#include "cli/packages.h"
#include "cli/settings.h"
#include "exec/executor.h"

namespace hotcell::cli {

// Thread-safe. The settings outlive it.
class LocalEngines {
 public:
  explicit LocalEngines(const Settings& settings) : settings_(settings) {}

  exec::Engines states();
  // Made at its first use.
  Expected<protocol::Engine*> open(exec::EngineChoice choice);

 private:
  exec::EngineState docker_state();  // asks the daemon

  const Settings& settings_;
  std::mutex mutex_;
  std::unique_ptr<wasi::WasiEngine> wasi_;
  std::unique_ptr<docker::DockerEngine> docker_;
};

// For a command that runs one program and ends: no cells that wait for others, no waiting for what the daemon does
// alone.
docker::EngineOptions for_one_run(docker::EngineOptions options);

// With the rules that the settings name. `engines` and `packages` outlive the executor.
Expected<exec::ExecutorOptions> executor_options(const Settings& settings, LocalEngines& engines,
                                                 LocalPackages& packages);

}  // namespace hotcell::cli
