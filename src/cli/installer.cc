#include "cli/installer.h"

#include <cstdlib>

#include "install/installer.h"

namespace hotcell::cli {

std::unique_ptr<deps::Installer> make_installer(const Settings& settings) {
  auto options = settings.indexes;
  // Beside the entries: no cell sees it, and it goes with the cache.
  if (const auto cache = deps::CacheOptions::from_environment([](const char* name) { return std::getenv(name); }))
    options.downloads = std::filesystem::absolute(cache->folder) / "downloads";
  docker::BuilderOptions builder;
  builder.enabled = settings.docker_enabled;
  builder.docker_host = settings.docker.docker_host;
  builder.runtime = settings.docker.runtime;
  builder.agent = settings.docker.agent;
  builder.seccomp = settings.docker.seccomp;
  builder.state = settings.docker.state;
  return std::make_unique<install::BuilderInstaller>(std::move(options), std::move(builder));
}

deps::Wish wish_of(const Settings& settings, deps::Target target, std::vector<deps::Requirement> requirements) {
  return {std::move(target), std::move(requirements), install::scope_of(settings.indexes)};
}

}  // namespace hotcell::cli
