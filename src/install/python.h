// Python packages: what uv is asked in a builder, and what its answer means.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "deps/key.h"
#include "deps/lock.h"
#include "docker/builder.h"
#include "install/index_access.h"

namespace hotcell::install {

Expected<docker::BuildJob> python_resolve_job(const deps::Target& target,
                                              std::span<const deps::Requirement> requirements,
                                              const IndexAccess& access, const InstallOptions& options);
Expected<docker::BuildJob> python_install_job(const deps::Target& target, const deps::Lock& lock,
                                              const IndexAccess& access, const InstallOptions& options);

// `json`: a pylock (PEP 751) as JSON. Of each package those files are kept that may be installed on the target.
Expected<deps::Lock> lock_from_pylock(std::string_view json, const deps::Target& target);

}  // namespace hotcell::install
