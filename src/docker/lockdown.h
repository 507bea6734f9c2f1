// How a cell is locked down: every line of it, in one file.
//
// A line is three things in one place: how it is asked for when the container is created, how the agent sees it from
// inside, and how the daemon shows it when asked. What was asked for is never believed: before a cell is used, every
// line is compared with both views, and a cell in which one line does not hold is never used. A daemon without limits
// (rootless without cgroups), a runtime that ignores an option, an image that brings a volume, somebody who changed the
// container by hand: all of them show as a difference here.
#pragma once
#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "agent/wire/wire.h"

namespace hotcell::docker {

// Where things are inside a cell.
inline constexpr std::string_view kAgentInCell = "/.hotcell/agent";
inline constexpr std::string_view kWorkspace = "/workspace";
inline constexpr std::string_view kPackagesInCell = "/opt/packages";

// A folder of this machine, and where a cell sees it.
struct Folder {
  std::string source, target;
  bool operator==(const Folder&) const = default;
};

// What a container is created from.
struct CellSpec {
  std::string image;                     // its id: a tag may move
  std::string agent;                     // the agent's file on this machine
  std::string seccomp;                   // the profile, as JSON
  std::string runtime;                   // empty: the daemon's default
  std::string packages;                  // the folder of installed packages on this machine; empty: none
  std::string network;                   // empty: none. Else the name of the network that it joins
  std::vector<std::string> nameservers;  // with a network: what the daemon asks for names; none: as it likes
  std::vector<std::string> unreachable;  // with a network: addresses to which there must be no way
  std::vector<std::string> openings;     // with a network: "10.0.0.5:8443", reachable by TCP though it is not public
  std::vector<Folder> folders;           // of this machine, that it may write to: only a builder has any
  std::uint32_t uid = 0;
  std::uint64_t memory_bytes = 512ull << 20;
  std::uint64_t disk_bytes = 100ull << 20;  // of /workspace and of /tmp, each
  double cpus = 1;
  std::uint64_t pids = 128;
  std::map<std::string, std::string> labels;
};

// An address that is public and nobody's (RFC 5737): with a network there is a way to it, without one there is none.
inline constexpr const char* kPublicProbe = "192.0.2.1";

// What has to be known of this machine to judge what a cell sees. Daemon and hotcell are on one: the socket is a file.
struct Machine {
  std::set<std::string> namespaces;  // our own: "pid:[4026531836]"
  std::set<std::string> paths;       // of those that are masked or made read-only, the ones that this kernel has
  std::string kernel;                // its release
  bool has_swap = false;

  static Machine look();
};

// One line of the lock-down, as the proof found it.
struct Finding {
  std::string line;    // "capabilities"
  std::string asked;   // "none"
  std::string inside;  // what the agent sees; empty: it cannot be seen from there
  std::string daemon;  // what the daemon shows; empty: it does not
  bool holds = false;
};

// The names of all lines, in the order in which they are stated.
std::vector<std::string> lockdown_lines();

// The body of POST /containers/create. `without` names a line that is left out, or turned into the opposite where
// leaving it out would change nothing: only tests and the doctor's own check do that, to see that the proof notices.
nlohmann::json create_body(const CellSpec& spec, std::string_view without = {});

// Every line, compared. `inspected` is the daemon's answer to GET /containers/{id}/json.
std::vector<Finding> prove(const CellSpec& spec, const agent::Facts& facts, const nlohmann::json& inspected,
                           const Machine& machine);

// As the API counts CPUs.
std::int64_t nano_cpus(const CellSpec& spec);

bool all_hold(const std::vector<Finding>& findings);
// "memory: asked for 512 MiB, the cell sees none", for every line that does not hold.
std::string differences(const std::vector<Finding>& findings);

}  // namespace hotcell::docker
