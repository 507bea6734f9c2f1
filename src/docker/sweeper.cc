#include "docker/sweeper.h"

#include <map>

#include "docker/maker.h"

namespace hotcell::docker {
namespace {

std::string label(const api::Labels& labels, const char* name) {
  const auto found = labels.find(name);
  return found == labels.end() ? "" : found->second;
}

// Asked once for each owner: a thousand containers may have one.
class Owners {
 public:
  explicit Owners(const Home& home) : home_(home) {}
  bool lives(const std::string& owner) {
    const auto known = lives_.find(owner);
    if (known != lives_.end()) return known->second;
    return lives_.emplace(owner, home_.owner_lives(owner)).first->second;
  }

 private:
  const Home& home_;
  std::map<std::string, bool> lives_;
};

std::vector<std::string> of_home(const Home& home) { return {std::string(kHomeLabel) + "=" + home.id()}; }

}  // namespace

Expected<Swept> sweep(api::Client& client, const Home& home, const SweepOptions& options, api::Until until) {
  Swept out;
  Owners owners(home);
  const auto claimed = [&](const api::Labels& labels) {
    return !options.all && owners.lives(label(labels, kOwnerLabel));
  };
  const auto count = [&](const Expected<void>& removed, unsigned& counter) {
    if (removed)
      ++counter;
    else
      out.failures.push_back(removed.error());
  };

  const auto containers = client.list(of_home(home), until);
  if (!containers) return std::unexpected(containers.error());
  for (const auto& one : *containers) {
    // Asked after the list was made: what was in use then may be gone by now, but nothing unknown can be in use.
    const bool ours = !options.self.empty() && label(one.labels, kOwnerLabel) == options.self;
    const bool kept = ours && !options.all ? options.in_use && options.in_use(one.name) : claimed(one.labels);
    if (!kept) count(client.remove(one.id, until), out.containers);
  }
  const auto networks = client.list_networks(of_home(home), until);
  if (!networks) return std::unexpected(networks.error());
  for (const auto& one : *networks)
    if (!claimed(one.labels)) count(client.remove_network(one.id, until), out.networks);
  const auto volumes = client.list_volumes(of_home(home), until);
  if (!volumes) return std::unexpected(volumes.error());
  for (const auto& one : *volumes)
    if (!claimed(one.labels)) count(client.remove_volume(one.name, until), out.volumes);
  if (out.failures.empty()) home.forget_dead_owners();
  return out;
}

Expected<std::vector<OwnedContainer>> owned(api::Client& client, const Home& home, api::Until until) {
  const auto containers = client.list(of_home(home), until);
  if (!containers) return std::unexpected(containers.error());
  Owners owners(home);
  std::vector<OwnedContainer> out;
  for (const auto& one : *containers) {
    const auto owner = label(one.labels, kOwnerLabel);
    out.push_back({one.id, one.name, label(one.labels, kClassLabel), one.image, one.state, owner, one.created,
                   owners.lives(owner)});
  }
  return out;
}

}  // namespace hotcell::docker
