// Node packages: what npm is asked in a builder, and what its answer means.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "deps/key.h"
#include "deps/lock.h"
#include "docker/builder.h"
#include "install/index_access.h"

namespace hotcell::install {

Expected<docker::BuildJob> node_resolve_job(const deps::Target& target, std::span<const deps::Requirement> requirements,
                                            const IndexAccess& access, const InstallOptions& options);
Expected<docker::BuildJob> node_install_job(const deps::Target& target, const deps::Lock& lock,
                                            const IndexAccess& access, const InstallOptions& options);

// Of npm's lock those packages that the target can load.
Expected<deps::Lock> lock_from_package_lock(std::string_view json, const deps::Target& target);

// package.json and package-lock.json that install exactly these packages at exactly these places: every package is
// wanted by the one that it lies in.
std::pair<std::string, std::string> manifests_of(const deps::Lock& lock);

}  // namespace hotcell::install
