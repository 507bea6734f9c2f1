// Installed packages as WASI cells see them: an entry of the dependency cache, once made into a pack in sealed memory,
// which every worker maps and no run copies.
//
// A program that imports a package asks for hundreds of files and folders. Each question would be a message to the
// engine and back, were they served as allowed folders are; in a pack they are string comparisons in mapped memory.
#pragma once
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>

#include "base/error.h"
#include "base/fd.h"

namespace hotcell::wasi {

// Where programs in the Python image find packages.
inline constexpr const char* kPackagesForPython = "/usr/local/lib/python3.11/dist-packages";

// The regular files below `folder`, as a pack (fs/pack.h). Links are left out: a pack has none. "packages_too_large".
Expected<std::string> pack_of(const std::string& folder, std::uint64_t most_bytes);

// Thread-safe. Those used last are kept; who holds one keeps it alive.
class PackageShelf {
 public:
  // `folder` is never changed once it is there.
  Expected<std::shared_ptr<const Fd>> get(const std::string& folder);

 private:
  struct Kept {
    std::string folder;
    std::shared_ptr<const Fd> pack;
    std::uint64_t bytes = 0;
  };
  std::shared_ptr<const Fd> find(const std::string& folder);

  std::mutex making_;  // one is made at a time, and those that are there are found meanwhile
  std::mutex mutex_;
  std::list<Kept> kept_;  // used last, first
};

}  // namespace hotcell::wasi
