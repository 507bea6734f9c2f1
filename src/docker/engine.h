// The Docker engine's door: any program, in locked-down containers that are warm before anyone asks.
#pragma once
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "docker/cell.h"
#include "docker/doctor.h"
#include "docker/pool.h"
#include "docker/sweeper.h"
#include "protocol/engine.h"

namespace hotcell::docker {

inline constexpr const char* kRuntimeImage = "hotcell/runtime:latest";

// May a cell run more than one program?
enum class Reuse {
  never,   // each has a cell of its own
  tenant,  // cleaned and proven in between, and for programs of one tenant only
};

// What an operator may set; the `docker:` section of the configuration.
struct EngineOptions {
  std::string docker_host;                  // empty: $DOCKER_HOST, else unix:///var/run/docker.sock
  std::string image = kRuntimeImage;        // of a request that names none
  std::vector<std::string> allowed_images;  // that a request may name, besides
  std::string runtime;                      // "runsc", …; empty: the daemon's default
  std::filesystem::path agent;              // empty: $HOTCELL_AGENT, or hotcell-agent beside this executable
  std::filesystem::path seccomp;            // empty: the profile that is built in
  std::filesystem::path state;              // empty: see default_state_folder()
  UidRange uids;                            // no count: as the daemon allows
  PoolOptions pool;
  Reuse reuse = Reuse::never;
  std::string tenant = "local";  // whose programs these are, with Reuse::tenant
  bool allow_network = true;     // may a request ask for it?
  // The folder of installed packages that cells are shown, so that one that waits can serve a program with any of them.
  // Empty, or not there: only cells that are made for a program with packages have it.
  std::filesystem::path packages;
  bool wait_for_removal = true;  // when the engine is destroyed. Without it the daemon does that a moment later

  // Defaults of a run, which a request may lower or raise up to the maximum.
  std::uint64_t memory_bytes = 512ull << 20, max_memory_bytes = 8192ull << 20;
  std::uint64_t disk_bytes = 100ull << 20, max_disk_bytes = 1024ull << 20;  // of /workspace and of /tmp, each
  double cpus = 1, max_cpus = 0;                                            // no maximum: as many as there are
  std::uint64_t pids = 128, max_pids = 4096;
  std::uint64_t output_bytes = 1ull << 20, max_output_bytes = 256ull << 20;
  std::uint64_t result_bytes = 256ull << 10, max_result_bytes = 256ull << 10;
  std::uint64_t files_bytes = 64ull << 20;
  std::vector<std::pair<std::string, std::string>> env;  // given to every program
  std::vector<std::string> warm_modules;                 // that a waiting Python has imported already
};

class DockerEngine final : public protocol::Engine {
 public:
  // Looks at what is here, not at the daemon: that may come and go while the engine lives.
  static Expected<std::unique_ptr<DockerEngine>> create(EngineOptions options);
  ~DockerEngine() override;  // ends all cells, and waits for that a while

  std::string_view name() const override { return "docker"; }
  Expected<protocol::Outcome> run(const protocol::Request& request, protocol::OutputSink* sink,
                                  const protocol::StopToken* stop) override;

  // Is there a daemon that could run something? The error says why not, and what to do.
  Expected<void> probe(api::Until until);
  // Keeps so many cells ready for such requests, and waits until they are.
  Expected<void> warm(const protocol::Request& like, unsigned cells, api::Until until);
  // Removes what dead processes of this home have left.
  Expected<Swept> sweep(api::Until until);

  // What is there, and whether a cell is what it should be: hotcell doctor. With `self_test` also whether the proof
  // notices every line that is missing, which takes some seconds.
  Expected<Diagnosis> diagnose(bool self_test, api::Until until);

  Pool::Counts counts() const;
  // What should never happen to cells, and how often it has.
  struct Troubles {
    std::uint64_t proofs_failed = 0, removals_failed = 0;
  };
  Troubles troubles() const;
  // Other sizes of the pool, while it works.
  void resize(const PoolOptions& sizes);
  // The private memory of the processes of one ready cell; nullopt: there is none, or the system does not say.
  std::optional<std::uint64_t> idle_cell_bytes() const;

 private:
  struct State;
  explicit DockerEngine(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace hotcell::docker
