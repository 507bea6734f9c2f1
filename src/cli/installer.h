// Who installs packages for this command line or service, and under what name they are kept.
#pragma once
#include <memory>

#include "cli/settings.h"
#include "deps/cache.h"
#include "deps/installer.h"

namespace hotcell::cli {

// Costs nothing until it is asked for packages.
std::unique_ptr<deps::Installer> make_installer(const Settings& settings);

// What came from indexes with credentials is not for everybody: the wish has a scope of its own.
deps::Wish wish_of(const Settings& settings, deps::Target target, std::vector<deps::Requirement> requirements);

}  // namespace hotcell::cli
