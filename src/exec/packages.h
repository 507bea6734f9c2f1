// Getting ready the packages that a program needs: from its needs to an entry of the dependency cache that its cell is
// shown.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/deadline.h"
#include "deps/cache.h"
#include "deps/needs.h"
#include "exec/route.h"

namespace hotcell::exec {

// Where packages come from. The cache is asked for only when a program needs what it has: one that imports nothing but
// the standard library opens none.
struct PackageSource {
  std::function<Expected<deps::DependencyCache*>()> cache = {};  // empty: programs are given no packages
  deps::Installer* installer = nullptr;                          // of what the cache has not
  std::string scope = {};                                        // Wish::scope
  double install_seconds = 300;  // how long resolving and installing may take, where the request has no deadline

  explicit operator bool() const { return static_cast<bool>(cache); }
};

// The entry with these packages for programs of this engine, held for as long as the lease lives. The error is ready to
// be shown: it says which packages, why not, and what to do.
Expected<deps::Lease> get_packages(const PackageSource& source, EngineChoice engine, protocol::Language language,
                                   std::vector<deps::Requirement> requirements, Deadline deadline);

// As a request carries it to its engine.
protocol::ReadyPackages as_ready(const deps::Lease& lease);

}  // namespace hotcell::exec
