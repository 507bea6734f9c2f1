// The engines of this machine behind the service: both started once, watched while it runs.
#pragma once
#include <atomic>
#include <memory>
#include <mutex>
#include <thread>

#include "cli/packages.h"
#include "cli/settings.h"
#include "exec/executor.h"
#include "server/backend.h"
#include "server/log.h"

namespace hotcell::cli {

// Thread-safe.
class ServiceBackend final : public server::Backend {
 public:
  // What cannot work at all is an error now; what may come later (a Docker daemon) is looked after.
  static Expected<std::unique_ptr<ServiceBackend>> create(const Settings& settings, unsigned warm_cells,
                                                          server::Log& log);
  ~ServiceBackend() override;

  Expected<protocol::Result> run(const protocol::Request& request, protocol::OutputSink* sink,
                                 const protocol::StopToken* stop) override;
  std::vector<server::EngineFacts> engines() override;
  std::uint64_t readings_bytes() const override { return executor_->readings_bytes(); }

  // Calls `done` on a thread of its own when every engine has been tried out. Once.
  void check_engines(std::function<void()> done);
  // Other sizes of the pool of containers.
  void resize(const docker::PoolOptions& sizes);
  // After this `done` is not called any more.
  void stop_checking();

 private:
  struct Announcing;  // an engine that says when it begins
  struct Watched {    // what the watcher has found out
    bool up = false;
    std::string why_down;
  };

  ServiceBackend(const Settings& settings, server::Log& log);
  Expected<protocol::Engine*> open(exec::EngineChoice choice);
  void watch(std::function<void()> done);
  Watched try_wasi();
  Watched probe_docker();
  void remember(Watched& of, Watched found, const char* name);

  const Settings& settings_;
  server::Log& log_;
  unsigned warm_cells_ = 0;
  std::vector<server::LanguageFacts> wasi_languages_;
  std::unique_ptr<wasi::WasiEngine> wasi_;
  std::unique_ptr<docker::DockerEngine> docker_;
  std::unique_ptr<Announcing> announcing_wasi_, announcing_docker_;
  LocalPackages packages_;
  std::unique_ptr<exec::Executor> executor_;

  mutable std::mutex mutex_;  // of what is watched
  Watched wasi_state_{false, "it has not been tried yet"}, docker_state_{false, "it has not been looked for yet"};
  protocol::StopToken stopping_;
  std::thread watcher_;
};

}  // namespace hotcell::cli
