// The network of cells that may have one (network.mode open): public addresses, and nothing else.
//
// A bridge of this process alone, on which containers cannot talk to each other, without IPv6. What is not public is
// then forbidden inside each cell's own network namespace, by routing rules that are set before the agent is spoken to:
// private and link-local ranges, where clouds answer with credentials, the bridge itself and with it the machine behind
// it, and every other address that this machine has. Names are resolved by the daemon at 127.0.0.11; the servers that
// it asks may be private, so that their port 53 stays open.
//
// The rules need a capability, which the cell never has. A second container, with our agent and nothing else in it, has
// it for a moment (`hotcell-agent block-private`). Whether they hold is part of every cell's proof: the agent asks the
// kernel for a route to addresses in each range, and there must be none.
#pragma once
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "docker/api/client.h"
#include "docker/lockdown.h"
#include "docker/remover.h"

namespace hotcell::docker {

class CellNetwork {
 public:
  CellNetwork(const std::string& owner, std::map<std::string, std::string> labels)
      : name_("hotcell-" + owner), labels_(std::move(labels)) {}

  // Made at its first use.
  Expected<std::string> name(api::Client& client, api::Until until);
  bool made() const {
    const std::lock_guard lock(mutex_);
    return made_;
  }
  // At the end. Error: a cell is still in it.
  Expected<void> remove(api::Client& client, api::Until until);

 private:
  const std::string name_;
  const std::map<std::string, std::string> labels_;
  mutable std::mutex mutex_;
  bool made_ = false;
};

// What has to be known of this machine's own network. Read anew for each cell: it may have changed.
struct MachineNetwork {
  std::vector<std::string> addresses;    // IPv4, but for 127.0.0.0/8
  std::vector<std::string> nameservers;  // of /etc/resolv.conf, but for those on the loopback

  static MachineNetwork look();
};
std::vector<std::string> nameservers_in(std::string_view resolv_conf);

// Sets the rules in the namespace of a container that has been started, and adds to `spec` what must not be reachable.
Expected<void> block_private(api::Client& client, Remover& remover, const std::string& container, CellSpec& spec,
                             const MachineNetwork& machine, api::Until until);

}  // namespace hotcell::docker
