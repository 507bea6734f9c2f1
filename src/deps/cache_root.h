// The folder of the dependency cache: who may see what, what it is called, and what is left over in it.
//
//   <root>/            0711
//     format           "hotcell-deps 1": what made this folder
//     secret           0600; names are HMACs under it
//     locks/           0700: use, install, staging, setup (process_locks.h)
//     staging/         0700: what is being made or unmade; each folder belongs to whoever holds its lock
//     downloads/       0700: what an installer keeps for its next work; none of the cache's business
//     index.db         0600: cache_index.h
//     shared/          0711: entries that every cell may use; mounted read-only into cells
//     scoped/<scope>/  0711: entries that belong to one tenant; mounted only into that tenant's cells
//       <name>/        0755: one entry
//         content/     the packages, read-only
//         manifest     0400: every file with its hash (manifest.h)
//         record       0400: what the entry is, signed (entry_record.h)
//
// A cell sees the folder of entries with search permission only. It opens its own entry, whose name it was told; it can
// neither list the others nor compute their names, which depend on the secret.
//
// An entry is made under staging/, and rename(2) puts it into its place whole. It is removed by the same way back. So
// there is never a half-made or half-removed entry in its place, whenever the process is killed; and what is under
// staging/ without a living owner is rubbish.
#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/hash.h"
#include "deps/process_locks.h"
#include "deps/step_observer.h"

namespace hotcell::deps {

// A folder under staging/ that is removed with this object, or, if the process dies, by the next sweep.
class Staging {
 public:
  Staging(Staging&&) noexcept;
  Staging& operator=(Staging&&) = delete;
  ~Staging();
  const std::string& name() const { return name_; }
  int fd() const { return folder_.get(); }

 private:
  friend class CacheRoot;
  Staging(int parent, std::string name, Fd lock, Fd folder);
  int parent_;
  std::string name_;  // empty: nothing to remove
  Fd lock_, folder_;
};

// Thread-safe: nothing changes after open().
class CacheRoot {
 public:
  // Makes what is missing. "untrusted_path": others could write to it. "cache_read_only", "cache_full",
  // "cache_unusable": see the sentence. A folder of an older format is emptied first, `emptied` tells.
  static Expected<CacheRoot> open(const std::filesystem::path& path, Deadline deadline, StepObserver* observer);

  const std::filesystem::path& path() const { return path_; }
  bool emptied() const { return emptied_; }
  int fd() const { return root_.get(); }
  const Digest& secret() const { return secret_; }

  // The folder of entries of a scope: "shared" for the empty one.
  std::string place(std::string_view scope) const;
  std::string entry_name(std::string_view scope, const Digest& key) const;
  // An identifier of something that must not be guessed, for the index and for locks.
  std::string private_id(std::string_view kind, std::string_view scope, const Digest& key) const;

  // Opens the folder of entries, making it if need be.
  Expected<Fd> open_place(const std::string& place) const;
  // "shared" and every "scoped/<hex>" that exists.
  Expected<std::vector<std::string>> places() const;
  // What lies there, entries and anything else.
  Expected<std::vector<std::string>> names_in(const std::string& place) const;

  Expected<Staging> new_staging() const;
  // Moves an entry out of its place into a new folder under staging/, to be removed with that object. nullopt: it was
  // gone.
  Expected<std::optional<Staging>> take_out(const std::string& place, const std::string& name) const;
  // Puts staging's content into place. What was there before is then in staging. Durable when it returns.
  Expected<void> put_in(const Staging& staging, const std::string& place, const std::string& name) const;
  // Removes what dead owners left under staging/; tells how many.
  Expected<std::size_t> sweep() const;

  const ProcessLocks& use_locks() const { return *use_; }          // shared while an entry is used
  const ProcessLocks& install_locks() const { return *install_; }  // exclusive while something is being installed
  const ProcessLocks& setup_locks() const { return *setup_; }      // lock 0: the root itself is being changed

  void step(std::string_view name) const {
    if (observer_) observer_->reached(name);
  }

 private:
  CacheRoot() = default;
  Expected<void> set_up(Deadline deadline);
  Expected<void> check_format();
  Expected<void> read_secret();

  std::filesystem::path path_;
  Fd root_, staging_, alive_;
  Digest secret_{};
  std::optional<ProcessLocks> use_, install_, staging_locks_, setup_;
  StepObserver* observer_ = nullptr;
  bool emptied_ = false;
};

bool is_entry_name(std::string_view name);

// All names in a folder but "." and "..".
Expected<std::vector<std::string>> names_in_folder(int folder);

// A file that must not exist yet, written to the disk.
Expected<void> write_new_file(int folder, const char* name, std::string_view text, unsigned mode);

}  // namespace hotcell::deps
