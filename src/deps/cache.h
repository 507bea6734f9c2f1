// The dependency cache: a wish ("requests>=2, numpy") becomes a folder with exactly these packages, installed once
// however many ask, kept as long as it is worth keeping, never changed, never half there.
//
// Two layers. A wish is resolved to a lock (exact versions and hashes); that is remembered for the TTL, because newer
// versions may appear. A lock leads to an entry, which can never become wrong: it is kept until it has not been used
// for the TTL, or until the size bound needs its room. A hit needs neither network nor installer.
//
// What holds at every moment, however many processes share the folder, and whichever of them is killed:
//  - an entry is in its place whole or not at all (cache_root.h);
//  - what is served has a record signed by this installation (entry_record.h);
//  - nothing is removed while a lease on it is held, by any process; a dead process holds none;
//  - one process installs one lock at a time; the others wait, and get its result or its error.
#pragma once
#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "deps/cache_index.h"
#include "deps/cache_root.h"
#include "deps/entry_record.h"
#include "deps/installer.h"
#include "deps/manifest.h"
#include "deps/single_flight.h"

namespace hotcell::deps {

struct CacheOptions {
  std::filesystem::path folder;
  std::chrono::milliseconds ttl = std::chrono::hours(24);
  std::uint64_t max_bytes = std::uint64_t{20} << 30;
  TreeLimits entry_limits;
  // For so long an install that failed is not tried again, so that a crowd that asks for it fails quickly.
  std::chrono::milliseconds failure_memory = std::chrono::seconds(3);
  // And what an index does not have: a program may import what only it knows, and be run a thousand times.
  std::chrono::milliseconds not_found_memory = std::chrono::minutes(5);
  std::function<std::int64_t()> clock_ms;  // wall clock; empty: the real one
  StepObserver* observer = nullptr;        // tests only

  // DEPENDENCY_CACHE_DIR (default ${XDG_CACHE_HOME:-~/.cache}/hotcell/deps), DEPENDENCY_CACHE_TTL_HOURS,
  // DEPENDENCY_CACHE_MAX_MB. `get` is getenv, or a fake.
  static Expected<CacheOptions> from_environment(const std::function<const char*(const char*)>& get);
};

struct Wish {
  Target target;
  std::vector<Requirement> requirements;  // from parse_requirements()
  // Who may share the result: empty for packages from public indexes; else something that names the tenant and the
  // index, such that equal scopes may see each other's packages. It is part of what an entry is called.
  std::string scope;
};

// An entry that is in use: while this lives, nothing removes it.
class Lease {
 public:
  const EntryRecord& record() const { return record_; }
  // What is mounted read-only into a cell, where the entry is found at record().name + "/content".
  const std::filesystem::path& mount() const { return mount_; }
  std::filesystem::path content() const { return mount_ / record_.name / "content"; }

  bool hit = true;             // it was there when it was asked for
  bool waited = false;         // another request installed it meanwhile
  bool stale = false;          // resolved longer ago than the TTL, because no index could be reached
  double install_seconds = 0;  // what this request spent on resolving, installing, or waiting for that

 private:
  friend class DependencyCache;
  Lease() = default;
  Fd lock_;
  EntryRecord record_;
  std::filesystem::path mount_;
};

struct CacheMetrics {
  std::uint64_t hits = 0, misses = 0;  // of acquire() and find(): whether the entry was there
  std::uint64_t waits = 0;             // misses that another request's install answered
  std::uint64_t installs = 0, failures = 0, evictions = 0, stale = 0;
  double install_seconds = 0;
  std::uint64_t bytes = 0;  // of all entries, by all processes
};

struct CacheEntry {
  IndexRow row;
  bool in_use = false;
};

struct PruneReport {
  std::vector<IndexRow> removed;
  std::uint64_t bytes_freed = 0;
  std::size_t rubbish = 0;  // left by dead processes, or never an entry
  std::size_t in_use = 0;   // would have gone, but is being used
};

struct VerifyReport {
  struct Found {
    std::string name, place, key, packages;  // key and packages: as far as known
    std::vector<Damage> damage;
    std::string action;  // "reported", "removed", "rebuilt", "set aside": no longer served, removed when it is free
  };
  std::size_t entries = 0;  // looked at
  std::uint64_t bytes = 0;  // read
  std::vector<Found> damaged;
  bool index_sound = true;
  std::size_t index_corrected = 0;  // rows that were missing or too many
};

// Thread-safe. Not to be used across fork().
class DependencyCache {
 public:
  static Expected<std::unique_ptr<DependencyCache>> open(CacheOptions options);

  // The entry for a wish, installed if need be. Errors: the installer's, word for word; dependency_timeout;
  // cache_full, cache_read_only, cache_unusable; invalid_requirement for an empty wish.
  Expected<Lease> acquire(const Wish& wish, Installer& installer, Deadline deadline);

  // Only what is there: nullopt where acquire() would have to resolve or install.
  Expected<std::optional<Lease>> find(const Wish& wish, Deadline deadline);
  Expected<std::optional<Lease>> find(const Target& target, const Lock& lock, std::string_view scope,
                                      Deadline deadline);

  // Whether it is there: a look, no use.
  Expected<bool> has(const Target& target, const Lock& lock, std::string_view scope);

  // The lock that a wish was resolved to, if that is remembered and not too long ago.
  Expected<std::optional<Lock>> resolved(const Wish& wish);
  // The same, or else resolved now and remembered.
  Expected<Lock> resolve(const Wish& wish, Installer& installer, Deadline deadline);

  Expected<std::vector<CacheEntry>> entries();  // least recently used first
  // The one whose key begins so. dependency_not_cached, or invalid_field where several do.
  Expected<CacheEntry> entry(std::string_view key_beginning);
  Expected<EntryRecord> record(const IndexRow& row);
  // False: it is being used.
  Expected<bool> remove(const IndexRow& row);

  // Removes what dead processes left, what was not used for the TTL, and, from the least recently used on, what is
  // over the size bound.
  Expected<PruneReport> prune();

  // Reads every byte. With `repair`, damaged entries go; with an installer they are made again.
  Expected<VerifyReport> verify(bool repair, Installer* installer, Deadline deadline);

  CacheMetrics metrics();
  const std::filesystem::path& folder() const { return root_.path(); }
  // What is mounted into the cells of a scope.
  std::filesystem::path mount(std::string_view scope) const { return root_.path() / root_.place(scope); }

 private:
  // How a flight ended, for all who waited for it.
  struct Landed {
    std::optional<Error> error;
    bool for_all = true;  // false: the leader's own time was over; who has more may try again
    bool installed = false, stale = false;
    std::string place, name;
    std::shared_ptr<const Lease> pin;  // until the last one has a lease of his own
  };

  DependencyCache(CacheOptions options, CacheRoot root) : options_(std::move(options)), root_(std::move(root)) {}

  std::int64_t now_ms() const;
  bool fresh(std::int64_t since_ms, std::chrono::milliseconds age) const;
  Expected<std::vector<IndexRow>> rows_from_folders();

  Expected<std::optional<Lease>> open_entry(const std::string& place, const std::string& name, Deadline deadline);
  Expected<std::optional<EntryRecord>> read_record(const std::string& place, const std::string& name);
  void note_use(const EntryRecord& record);

  std::string wish_id(const Wish& wish) const;
  Expected<std::optional<Lease>> ready(const Wish& wish, const std::string& id, Deadline deadline, bool even_if_old);
  Landed fill(const Wish& wish, const std::string& id, std::int64_t failures_seen, Installer& installer,
              Deadline deadline);
  Expected<Landed> fill_alone(const Wish& wish, const std::string& id, Installer& installer, Deadline deadline);
  Expected<Lease> make_entry(const Target& target, const Lock& lock, const std::string& place, const std::string& name,
                             Installer& installer, Deadline deadline);

  struct Reconciled {
    std::vector<IndexRow> rows;
    struct Stray {
      std::string place, name;
    };
    std::vector<Stray> strays;  // in a place of entries, without a valid record
    std::size_t corrected = 0;
  };
  Expected<Reconciled> reconcile();
  Expected<bool> remove_from(const std::string& place, const std::string& name);
  // Removes it and says so in the report, unless it is being used: then false.
  Expected<bool> evict(IndexRow& row, PruneReport& report);
  Expected<void> shrink(std::uint64_t to_bytes, PruneReport& report);
  Expected<std::vector<Damage>> damage_of(const std::string& place, const std::string& name,
                                          const std::optional<EntryRecord>& record, Deadline deadline,
                                          std::uint64_t& bytes);

  // What was done, as in VerifyReport::Found::action.
  Expected<std::string> repair_entry(const std::string& place, const std::string& name,
                                     const std::optional<EntryRecord>& record, Installer* installer, Deadline deadline);

  CacheOptions options_;
  CacheRoot root_;
  std::unique_ptr<CacheIndex> index_;
  SingleFlight<Landed> flights_;

  std::atomic<std::uint64_t> hits_ = 0, misses_ = 0, waits_ = 0, installs_ = 0, failures_ = 0, evictions_ = 0,
                             stale_ = 0, install_us_ = 0;
};

}  // namespace hotcell::deps
