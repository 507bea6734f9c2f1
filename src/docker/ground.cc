#include "docker/ground.h"

#include <cstdlib>

#include "base/file.h"
#include "docker/embedded.h"

namespace hotcell::docker {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxProfile = 1 << 20;

fs::path default_agent() {
  if (const char* set = std::getenv("HOTCELL_AGENT"); set && *set) return set;
  std::error_code ignored;
  return fs::read_symlink("/proc/self/exe", ignored).parent_path() / "hotcell-agent";
}

}  // namespace

Expected<Ground> Ground::lay(const Options& options) {
  MakerOptions make;
  auto endpoint =
      options.docker_host.empty() ? api::Endpoint::from_environment() : api::Endpoint::parse(options.docker_host);
  if (!endpoint) return std::unexpected(endpoint.error());
  make.endpoint = std::move(*endpoint);
  const auto wanted = options.agent.empty() ? default_agent() : options.agent;
  std::error_code error;
  const auto agent = fs::canonical(wanted, error);  // the daemon binds no links
  if (error)
    return fail("internal", "the agent " + wanted.string() + " is not there: " + error.message(),
                "hotcell-agent belongs beside the hotcell executable; or set HOTCELL_AGENT");
  if (auto trusted = require_trusted(agent); !trusted) return std::unexpected(trusted.error());
  make.agent = agent.string();
  make.seccomp = embedded::docker_seccomp_json();
  if (!options.seccomp.empty()) {
    auto profile = read_file(options.seccomp, kMaxProfile);
    if (!profile) return std::unexpected(profile.error());
    make.seccomp = std::move(*profile);
  }
  make.runtime = options.runtime;
  auto home = Home::open(options.state.empty() ? default_state_folder() : options.state);
  if (!home) return std::unexpected(home.error());
  auto owner = Owner::claim(*home);
  if (!owner) return std::unexpected(owner.error());
  make.home = home->id();
  make.owner = owner->id();
  return Ground{std::move(make), std::move(*home), std::move(*owner)};
}

}  // namespace hotcell::docker
