#include "cli/packages.h"

#include <cstdlib>

#include "cli/installer.h"

namespace hotcell::cli {

LocalPackages::LocalPackages(const Settings& settings)
    : installer_(make_installer(settings)),
      scope_(install::scope_of(settings.indexes)),
      install_seconds_(settings.indexes.timeout_seconds) {}

Expected<deps::DependencyCache*> LocalPackages::cache() {
  const std::lock_guard lock(mutex_);
  if (!cache_) {
    auto options = deps::CacheOptions::from_environment([](const char* name) { return std::getenv(name); });
    if (!options) return std::unexpected(options.error());
    auto opened = deps::DependencyCache::open(std::move(*options));
    if (!opened) return std::unexpected(opened.error());
    cache_ = std::move(*opened);
  }
  return cache_.get();
}

exec::PackageSource LocalPackages::source() {
  exec::PackageSource out;
  out.cache = [this] { return cache(); };
  out.installer = installer_.get();
  out.scope = scope_;
  out.install_seconds = install_seconds_;
  return out;
}

}  // namespace hotcell::cli
