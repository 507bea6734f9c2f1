#include "exec/packages.h"

#include <utility>

namespace hotcell::exec {
namespace {

std::string listed(const std::vector<deps::Requirement>& requirements, const char* between) {
  std::string out;
  for (const auto& one : requirements) out += (out.empty() ? "" : between) + one.text();
  return out;
}

deps::Ecosystem ecosystem_of(protocol::Language language) {
  return language == protocol::Language::javascript ? deps::Ecosystem::npm : deps::Ecosystem::pypi;
}

}  // namespace

Expected<deps::Lease> get_packages(const PackageSource& source, EngineChoice engine, protocol::Language language,
                                   std::vector<deps::Requirement> requirements, Deadline deadline) {
  auto cache = source.cache();
  if (!cache) return std::unexpected(cache.error());
  deps::Wish wish;
  wish.target = engine == EngineChoice::wasi ? deps::wasi_target() : deps::container_target(ecosystem_of(language));
  wish.requirements = std::move(requirements);
  wish.scope = source.scope;
  auto lease = (*cache)->acquire(wish, *source.installer, deadline);
  if (lease || lease.error().code != deps::kNoInstaller) return lease;
  // Where packages come from is known to who can install: the message that a user can act on is ours.
  const bool several = wish.requirements.size() > 1;
  return fail("dependency_failed",
              listed(wish.requirements, ", ") + (several ? " are" : " is") + " not in the dependency cache, and " +
                  lease.error().message,
              !lease.error().hint.empty()
                  ? lease.error().hint
                  : "install it ahead where that is possible: hotcell cache warm " + listed(wish.requirements, " "));
}

protocol::ReadyPackages as_ready(const deps::Lease& lease) { return {lease.mount().string(), lease.record().name}; }

}  // namespace hotcell::exec
