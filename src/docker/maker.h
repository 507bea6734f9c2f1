// Makes cells: create, attach, start, greet, prove. And changes them: other limits, clean again.
//
// The order matters. Attached before started, because what is printed earlier is lost. Greeted before started too, so
// that the agent finds our words when it begins to listen. The daemon is asked what it thinks the container is while
// the agent is still looking around. Nobody gets a cell whose proof does not hold.
//
// Thread-safe.
#pragma once
#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "docker/api/client.h"
#include "docker/cell.h"
#include "docker/lockdown.h"
#include "docker/network.h"
#include "docker/uids.h"

namespace hotcell::docker {

inline constexpr const char* kHomeLabel = "hotcell.home";
inline constexpr const char* kOwnerLabel = "hotcell.owner";
inline constexpr const char* kClassLabel = "hotcell.class";

struct MakerOptions {
  api::Endpoint endpoint;
  std::string agent;    // the agent's file
  std::string seccomp;  // the profile
  std::string runtime;  // empty: the daemon's default
  UidRange uids;        // no count: as the daemon suggests
  CellLimits limits;    // of a new cell
  std::string home, owner;
  std::vector<std::string> warm_modules;  // that a waiting Python has imported
};

// The daemon as we found it.
struct Daemon {
  std::unique_ptr<api::Client> client;
  api::Info info;
};

class CellMaker {
 public:
  CellMaker(MakerOptions options, Remover& remover);

  // The daemon, found at first use. A failure is not remembered: the next one to ask looks again.
  Expected<std::shared_ptr<const Daemon>> daemon(api::Until until);

  // `warm`: with an interpreter that waits. Else one is started when the program comes. What the proof found is written
  // to `findings`, also when it does not hold.
  Expected<std::unique_ptr<Cell>> make(const CellClass& kind, bool warm, api::Until until,
                                       std::vector<Finding>* findings = nullptr);
  // Other limits, and proven again.
  Expected<void> adjust(Cell& cell, const CellLimits& limits, api::Until until);
  // Looks again at everything. Errors: "proof_failed" with what differs, and whatever keeps the cell from answering.
  Expected<void> check(Cell& cell, api::Until until);
  // After a program, for the next one of the same tenant: everything killed and wiped, looked at again; warm if
  // so wished.
  Expected<void> clean(Cell& cell, bool warm, api::Until until);

  const MakerOptions& options() const { return options_; }

  // The network of cells that have one, made at first use.
  Expected<std::string> network(api::Until until);
  bool has_network() const { return network_.made(); }
  Expected<void> remove_network(api::Until until);

  // Cells that did not pass their proof.
  std::uint64_t proofs_failed() const { return proofs_failed_; }

  // For tests and the doctor: leaves one line of the lock-down out of every new cell. Empty: none.
  void leave_out(std::string line) { left_out_ = std::move(line); }

 private:
  Expected<void> receive_warmed(Cell& cell, api::Until until);
  Expected<void> compare(Cell& cell, const agent::Facts& facts, const Daemon& daemon, api::Until until);

  const MakerOptions options_;
  Remover& remover_;
  const Machine machine_;
  CellNetwork network_;
  std::string left_out_;
  std::atomic<std::uint64_t> proofs_failed_{0};

  std::timed_mutex connecting_;  // held while a daemon is looked for: who waits for that has a deadline
  std::mutex mutex_;
  std::shared_ptr<const Daemon> daemon_;
  std::shared_ptr<Uids> uids_;
  std::uint64_t made_ = 0;
};

std::string_view name_of(agent::Language language);

}  // namespace hotcell::docker
