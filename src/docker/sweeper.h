// Removes what no living owner claims: containers, networks and volumes that bear the name of our home and that of a
// process which is dead. Nothing of another home is ever touched, and nothing of a living process but our own, where we
// know that nobody uses it.
//
// Idempotent, and safe beside others who sweep the same home: what is already gone is what was wanted.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "docker/api/client.h"
#include "docker/owner.h"

namespace hotcell::docker {

struct Swept {
  unsigned containers = 0, networks = 0, volumes = 0;
  std::vector<Error> failures;  // what could not be removed, and why
};

struct SweepOptions {
  std::string self;                                     // our own owner; empty: none
  std::function<bool(const std::string& name)> in_use;  // of ours: is that container known to somebody?
  bool all = false;                                     // of living owners too (hotcell sweep --all)
};

Expected<Swept> sweep(api::Client& client, const Home& home, const SweepOptions& options, api::Until until);

// A container of this home, as hotcell ps shows it.
struct OwnedContainer {
  std::string id, name, kind, image, state, owner;
  std::int64_t created = 0;  // seconds since 1970
  bool owner_lives = false;
};
Expected<std::vector<OwnedContainer>> owned(api::Client& client, const Home& home, api::Until until);

}  // namespace hotcell::docker
