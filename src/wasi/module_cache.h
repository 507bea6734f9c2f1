// Compiled modules, kept on disk between runs.
//
// A compiled module is native code that will run inside a worker: whoever can change an entry can run anything there.
// So an entry counts only if it carries an HMAC under this installation's key over all that it depends on and all that
// it holds, and it is checked on a private, sealed copy, so that nothing can change between the check and the use. The
// rest is a plain directory: one file per entry, replaced atomically, the least recently used removed when there are
// too many bytes. Any number of processes may share it; a kill -9 at any moment leaves at worst a temporary file, which
// is swept later.
//
// Why not one database: entries are tens of megabytes, written once, read whole.
#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>

#include "base/error.h"
#include "base/fd.h"
#include "base/hash.h"

namespace hotcell::wasi {

// Everything that the compiled code depends on. Two keys that differ in any field never share an entry.
struct ModuleKey {
  Digest wasm{};                 // SHA-256 of the module
  std::string flags;             // engine settings that change the code: fuel, epochs, stack, …
  std::string wasmtime_version;  // "48.0.8"
  std::string cpu;               // the CPU features that the compiler was allowed to use
};

struct ModuleCacheLimits {
  std::uint64_t max_total_bytes = std::uint64_t{1} << 30;
  std::uint64_t max_entry_bytes = std::uint64_t{512} << 20;
};

// Thread-safe: nothing changes after open().
class ModuleCache {
 public:
  // Creates the directory (0700) and the install key (file `key`, 0600) where they are missing. "untrusted_path" when
  // others could write to the directory or read the key.
  static Expected<ModuleCache> open(const std::filesystem::path& directory, ModuleCacheLimits limits = {});

  // The compiled module alone, from offset 0, in a memfd sealed against every change; nullopt when there is none.
  // A damaged or foreign entry is a miss too: it is deleted, and `refusal`, if given, receives one sentence for the log
  // (and is emptied otherwise). An Error means that the directory cannot be used at all.
  Expected<std::optional<Fd>> find(const ModuleKey& key, std::string* refusal = nullptr) const;

  // Keeps a copy on disk and returns what find() would. When only the disk fails, seal() still gives something to run.
  Expected<Fd> store(const ModuleKey& key, std::span<const std::uint8_t> compiled) const;

  // The bytes in a memfd sealed against every change, without any file.
  static Expected<Fd> seal(std::span<const std::uint8_t> compiled);

  // Removes abandoned temporary files and, from the least recently used on, what is past the size bound. store() calls
  // it.
  Expected<void> sweep() const;

  // The file of an entry: for tests and for people who look for one.
  std::string file_name(const ModuleKey& key) const;

 private:
  ModuleCache() = default;
  Digest tag(const ModuleKey& key, std::span<const std::uint8_t> content) const;
  std::filesystem::path inside(const std::string& name) const;

  std::filesystem::path shown_;  // as the caller named it: for messages only
  Fd directory_;                 // pinned at open(): renaming or replacing the path afterwards changes nothing for us
  Digest key_{};
  ModuleCacheLimits limits_;
};

}  // namespace hotcell::wasi
