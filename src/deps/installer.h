// Who turns a wish into packages. The cache decides when; this decides how, and is the only part that needs a network.
#pragma once
#include <filesystem>
#include <span>
#include <string>

#include "base/deadline.h"
#include "base/error.h"
#include "deps/key.h"
#include "deps/lock.h"
#include "deps/requirement.h"

namespace hotcell::deps {

// The code of an error that says: nobody can install anything here now. Nothing is wrong with the packages, so it is
// not remembered against them, and a lock that is older than it should be goes on serving, as with dependency_network.
inline constexpr const char* kNoInstaller = "no_installer";

// May be called by several threads at once, for different sets. An error of either call names the package that is to
// blame, with one of the codes dependency_not_found, dependency_no_wheel, dependency_conflict, dependency_network,
// dependency_timeout, dependency_failed; every waiter gets it word for word.
class Installer {
 public:
  virtual ~Installer() = default;

  // Which exact packages satisfy these requirements today. Their names, versions and hashes are then fixed for as long
  // as the cache remembers them.
  virtual Expected<Lock> resolve(const Target& target, std::span<const Requirement> requirements,
                                 Deadline deadline) = 0;

  // Puts exactly these packages into `folder`, which exists and is empty. When it returns, nothing that it started may
  // still write there. The hashes in the lock must have been checked.
  virtual Expected<void> install(const Target& target, const Lock& lock, const std::filesystem::path& folder,
                                 Deadline deadline) = 0;
};

}  // namespace hotcell::deps
