// The packages of this process: the dependency cache that the environment names, and who installs what it has not.
#pragma once
#include <memory>
#include <mutex>

#include "cli/settings.h"
#include "deps/cache.h"
#include "deps/installer.h"
#include "exec/packages.h"

namespace hotcell::cli {

// Thread-safe. Costs nothing until packages are needed; a cache that cannot be opened is tried again by the next who asks.
class LocalPackages {
 public:
  explicit LocalPackages(const Settings& settings);

  Expected<deps::DependencyCache*> cache();
  // It asks this object, which outlives it.
  exec::PackageSource source();

 private:
  const std::unique_ptr<deps::Installer> installer_;
  const std::string scope_;
  const double install_seconds_;
  std::mutex mutex_;
  std::unique_ptr<deps::DependencyCache> cache_;
};

}  // namespace hotcell::cli
