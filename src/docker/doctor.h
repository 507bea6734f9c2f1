// What really holds on this machine: the daemon, its kernel, and one cell, line by line.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "docker/lockdown.h"
#include "docker/maker.h"

namespace hotcell::docker {

struct HostFact {
  std::string name, value;
  enum class Verdict { good, weak, bad } verdict = Verdict::good;
  std::string remark;  // what is weak or bad about it
};

// One line of the lock-down, left out on purpose.
struct Mutation {
  std::string line;
  bool noticed = false;
  std::string how;  // what the proof said, or that it said nothing
};

struct Diagnosis {
  std::vector<HostFact> host;
  std::vector<Finding> cell;
  std::vector<Mutation> mutations;
  std::optional<Error> error;  // why there is no cell, or why it may not be used
  bool healthy() const;
};

void look_at_host(Diagnosis& out, const Daemon& daemon, const MakerOptions& options);
void look_at_image(Diagnosis& out, const api::Image& image);
void look_at_cell(Diagnosis& out, CellMaker& maker, const CellClass& kind, api::Until until);
// Makes a cell without each line in turn. Nobody else may use the maker meanwhile.
void test_proof(Diagnosis& out, CellMaker& maker, const CellClass& kind, api::Until until);

}  // namespace hotcell::docker
