// Everything that can be seen from inside of how the cell is locked down. The host compares it with what it asked for,
// and does not use a cell that differs.
#pragma once
#include <string>
#include <vector>

#include "agent/cgroup.h"
#include "agent/wire/wire.h"

namespace hotcell::agent {

// `probes`: see Hello.
Facts gather_facts(const Cgroup& cgroup, bool guarded, const std::vector<std::string>& probes);

// The facts that no program may change, as bytes to compare.
std::string what_stays(Facts facts);

// The parts.
void read_network(Facts& into);
void read_reachable(Facts& into, const std::vector<std::string>& probes);
void read_devices(Facts& into);

}  // namespace hotcell::agent
