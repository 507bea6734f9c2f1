// The real deps::Installer: packages are resolved and installed in builder cells (docker/builder.h), by uv and npm.
#pragma once
#include <memory>
#include <mutex>

#include "deps/installer.h"
#include "docker/builder.h"
#include "install/index_access.h"
#include "install/options.h"

namespace hotcell::install {

// Thread-safe. Nothing is started before it is needed.
class BuilderInstaller final : public deps::Installer {
 public:
  BuilderInstaller(InstallOptions options, docker::BuilderOptions builder)
      : options_(std::move(options)), builder_options_(std::move(builder)) {}

  Expected<deps::Lock> resolve(const deps::Target& target, std::span<const deps::Requirement> requirements,
                               Deadline deadline) override;
  Expected<void> install(const deps::Target& target, const deps::Lock& lock, const std::filesystem::path& folder,
                         Deadline deadline) override;

 private:
  Expected<docker::Builder*> builder();
  // The command's stdout, if it went well; else what its words mean.
  Expected<std::string> run(const deps::Target& target, docker::BuildJob job, const IndexAccess& access,
                            const std::string& doing, Deadline deadline);

  const InstallOptions options_;
  const docker::BuilderOptions builder_options_;
  std::mutex mutex_;
  std::unique_ptr<docker::Builder> builder_;
};

}  // namespace hotcell::install
