// Serving: wishes, entries, leases. What looks after the cache is in cache_care.cc.
#include "deps/cache.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>

#include "base/file.h"
#include "deps/errors.h"

namespace hotcell::deps {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kNoteUseEveryMs = 1000;  // finer than that the order of use does not matter
constexpr double kSetupSeconds = 30;

Expected<double> number_from(const char* name, const char* text, double most) {
  const std::string_view view(text);
  double value = 0;
  const auto [end, error] = std::from_chars(view.data(), view.data() + view.size(), value);
  if (error != std::errc() || end != view.data() + view.size() || !(value >= 0 && value <= most))
    return fail("invalid_config", "the environment variable " + std::string(name) + " must be a number from 0 to " +
                                      std::to_string(static_cast<long long>(most)) + ", not " + quoted(view));
  return value;
}

std::unexpected<Error> too_late(const std::string& what) {
  return fail("dependency_timeout", what, "allow more time; what was installed by then is kept and found again");
}

bool disk_is_full(int folder) {
  struct statvfs st{};
  return fstatvfs(folder, &st) == 0 &&
         (st.f_bavail * st.f_frsize < (std::uint64_t{1} << 20) || (st.f_files > 0 && st.f_favail == 0));
}

}  // namespace

Expected<CacheOptions> CacheOptions::from_environment(const std::function<const char*(const char*)>& get) {
  const auto value = [&](const char* name) {
    const char* text = get(name);
    return std::string(text ? text : "");
  };
  CacheOptions out;
  if (const auto set = value("DEPENDENCY_CACHE_DIR"); !set.empty()) {
    out.folder = set;
  } else if (const auto xdg = value("XDG_CACHE_HOME"); xdg.starts_with('/')) {
    out.folder = fs::path(xdg) / "hotcell" / "deps";
  } else if (const auto home = value("HOME"); !home.empty()) {
    out.folder = fs::path(home) / ".cache" / "hotcell" / "deps";
  } else {
    return fail("invalid_config", "there is no place for the dependency cache: neither HOME nor XDG_CACHE_HOME is set",
                "set DEPENDENCY_CACHE_DIR");
  }
  constexpr double kMostHours = 24.0 * 365 * 100;
  if (const auto text = value("DEPENDENCY_CACHE_TTL_HOURS"); !text.empty()) {
    const auto hours = number_from("DEPENDENCY_CACHE_TTL_HOURS", text.c_str(), kMostHours);
    if (!hours) return std::unexpected(hours.error());
    out.ttl = std::chrono::milliseconds(static_cast<std::int64_t>(*hours * 3'600'000));
  }
  if (const auto text = value("DEPENDENCY_CACHE_MAX_MB"); !text.empty()) {
    const auto mb = number_from("DEPENDENCY_CACHE_MAX_MB", text.c_str(), 1e9);
    if (!mb) return std::unexpected(mb.error());
    out.max_bytes = static_cast<std::uint64_t>(*mb * 1048576);
  }
  return out;
}

Expected<std::unique_ptr<DependencyCache>> DependencyCache::open(CacheOptions options) {
  auto root = CacheRoot::open(options.folder, Deadline::after_seconds(kSetupSeconds), options.observer);
  if (!root) return std::unexpected(root.error());
  std::unique_ptr<DependencyCache> cache(new DependencyCache(std::move(options), std::move(*root)));
  auto index = CacheIndex::open(cache->root_.path() / "index.db", cache->root_.setup_locks(),
                                [raw = cache.get()] { return raw->rows_from_folders(); });
  if (!index) return std::unexpected(index.error());
  cache->index_ = std::move(*index);
  cache->root_.step("index opened");
  if (cache->root_.emptied())
    if (auto done = cache->index_->rebuild(); !done) return std::unexpected(done.error());
  if (auto swept = cache->root_.sweep(); !swept) return std::unexpected(swept.error());
  return cache;
}

std::int64_t DependencyCache::now_ms() const {
  if (options_.clock_ms) return options_.clock_ms();
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

// A clock that was set back makes things old, not young for ever.
bool DependencyCache::fresh(std::int64_t since_ms, std::chrono::milliseconds age) const {
  const auto now = now_ms();
  return since_ms <= now && now - since_ms < age.count();
}

std::string DependencyCache::wish_id(const Wish& wish) const {
  return root_.private_id("hotcell dependency cache: wish", wish.scope, wish_key(wish.target, wish.requirements));
}

// The record of what lies there, if that is an entry of ours and whole as far as a look can tell.
Expected<std::optional<EntryRecord>> DependencyCache::read_record(const std::string& place, const std::string& name) {
  const auto folder = root_.open_place(place);
  if (!folder) return std::unexpected(folder.error());
  const Fd entry(openat(folder->get(), name.c_str(), kOpenFolder));
  if (!entry) {
    if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP || errno == EACCES) return std::nullopt;
    return cache_error("cannot open an entry of the dependency cache");
  }
  const Fd file(openat(entry.get(), "record", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct stat st{};
  if (!file || fstat(file.get(), &st) || !S_ISREG(st.st_mode)) return std::nullopt;
  const auto text = read_all(file.get(), kMaxRecordBytes, "record");
  if (!text) return std::nullopt;
  auto record = parse_record(*text, root_.secret());
  if (!record || record->name != name || record->place != place) return std::nullopt;
  if (fstatat(entry.get(), "manifest", &st, AT_SYMLINK_NOFOLLOW) || !S_ISREG(st.st_mode) ||
      static_cast<std::uint64_t>(st.st_size) != record->manifest_bytes)
    return std::nullopt;
  if (fstatat(entry.get(), "content", &st, AT_SYMLINK_NOFOLLOW) || !S_ISDIR(st.st_mode)) return std::nullopt;
  return std::optional(std::move(*record));
}

Expected<std::optional<Lease>> DependencyCache::open_entry(const std::string& place, const std::string& name,
                                                           Deadline deadline) {
  // The lease first: what is there afterwards stays.
  auto lock = root_.use_locks().lock(lock_number(name), ProcessLocks::Kind::shared, deadline);
  if (!lock) return std::unexpected(lock.error());
  if (!*lock) return too_late("an entry of the dependency cache was locked for too long");
  auto record = read_record(place, name);
  if (!record) return std::unexpected(record.error());
  if (!*record) return std::nullopt;
  Lease lease;
  lease.lock_ = std::move(**lock);
  lease.record_ = std::move(**record);
  lease.mount_ = root_.path() / place;
  note_use(lease.record_);
  return std::optional(std::move(lease));
}

// The entry is served whether or not the index could be told.
void DependencyCache::note_use(const EntryRecord& record) {
  const auto known = index_->touch(record.name, now_ms(), kNoteUseEveryMs);
  if (!known || *known) return;
  auto row = row_of(record);
  row.used_ms = now_ms();
  (void)index_->put(row);
}

Expected<std::optional<Lock>> DependencyCache::resolved(const Wish& wish) {
  const auto memo = index_->memo(wish_id(wish));
  if (!memo) return std::unexpected(memo.error());
  if (!*memo || !fresh((*memo)->resolved_ms, options_.ttl)) return std::nullopt;
  auto lock = Lock::parse((*memo)->lock);
  if (!lock || lock->ecosystem() != wish.target.ecosystem) return std::nullopt;  // damaged: resolved again
  return std::optional(std::move(*lock));
}

Expected<Lock> DependencyCache::resolve(const Wish& wish, Installer& installer, Deadline deadline) {
  auto known = resolved(wish);
  if (!known) return std::unexpected(known.error());
  if (*known) return std::move(**known);
  auto lock = installer.resolve(wish.target, wish.requirements, deadline);
  if (!lock) return lock;
  if (lock->ecosystem() != wish.target.ecosystem || lock->packages().empty())
    return fail("internal", "the installer resolved the packages to nothing, or to another kind of packages");
  if (auto done = index_->put_memo(wish_id(wish), {lock->text(), now_ms()}); !done)
    return std::unexpected(done.error());
  root_.step("lock remembered");
  return lock;
}

Expected<std::optional<Lease>> DependencyCache::find(const Target& target, const Lock& lock, std::string_view scope,
                                                     Deadline deadline) {
  auto lease = open_entry(root_.place(scope), root_.entry_name(scope, entry_key(target, lock)), deadline);
  if (lease) ++(*lease ? hits_ : misses_);
  return lease;
}

Expected<bool> DependencyCache::has(const Target& target, const Lock& lock, std::string_view scope) {
  const auto record = read_record(root_.place(scope), root_.entry_name(scope, entry_key(target, lock)));
  if (!record) return std::unexpected(record.error());
  return record->has_value();
}

Expected<std::optional<Lease>> DependencyCache::find(const Wish& wish, Deadline deadline) {
  auto lease = ready(wish, wish_id(wish), deadline, false);
  if (lease) ++(*lease ? hits_ : misses_);
  return lease;
}

Expected<std::optional<Lease>> DependencyCache::ready(const Wish& wish, const std::string& id, Deadline deadline,
                                                      bool even_if_old) {
  const auto memo = index_->memo(id);
  if (!memo) return std::unexpected(memo.error());
  if (!*memo || (!even_if_old && !fresh((*memo)->resolved_ms, options_.ttl))) return std::nullopt;
  const auto lock = Lock::parse((*memo)->lock);
  if (!lock || lock->ecosystem() != wish.target.ecosystem) return std::nullopt;
  return open_entry(root_.place(wish.scope), root_.entry_name(wish.scope, entry_key(wish.target, *lock)), deadline);
}

Expected<Lease> DependencyCache::acquire(const Wish& wish, Installer& installer, Deadline deadline) {
  if (wish.requirements.empty()) return fail("invalid_requirement", "there are no packages to install");
  if (auto done = check_target(wish.target); !done) return std::unexpected(done.error());
  const auto started = Deadline::Clock::now();
  const auto id = wish_id(wish);
  if (auto lease = ready(wish, id, deadline, false); !lease || *lease) {
    if (!lease) return std::unexpected(lease.error());
    ++hits_;
    return std::move(**lease);
  }
  ++misses_;
  const auto failures_seen = index_->last_failure();
  if (!failures_seen) return std::unexpected(failures_seen.error());
  for (;;) {
    const auto landing =
        flights_.run(id, deadline, [&] { return fill(wish, id, *failures_seen, installer, deadline); });
    if (!landing.result)
      return too_late("other requests have been installing the same packages, and they were not done in time");
    const Landed& landed = *landing.result;
    if (landed.error) {
      if (!landing.own && !landed.for_all && !deadline.passed()) continue;
      return std::unexpected(*landed.error);
    }
    auto lease = open_entry(landed.place, landed.name, deadline);
    if (!lease) return std::unexpected(lease.error());
    if (!*lease) {  // damaged by somebody since
      if (deadline.passed()) return too_late("the installed packages were gone before they could be used");
      continue;
    }
    auto& out = **lease;
    out.hit = false;
    out.waited = !landing.own || !landed.installed;
    out.stale = landed.stale;
    out.install_seconds = std::chrono::duration<double>(Deadline::Clock::now() - started).count();
    if (out.waited) ++waits_;
    if (out.stale) ++stale_;
    return std::move(out);
  }
}

DependencyCache::Landed DependencyCache::fill(const Wish& wish, const std::string& id, std::int64_t failures_seen,
                                              Installer& installer, Deadline deadline) {
  const auto ended = [&](Error error, bool count) {
    if (count) ++failures_;
    Landed landed;
    landed.for_all = !deadline.passed();
    landed.error = std::move(error);
    return landed;
  };
  auto alone = root_.install_locks().lock(lock_number(id), ProcessLocks::Kind::exclusive, deadline);
  if (!alone) return ended(alone.error(), false);
  if (!*alone)
    return ended(too_late("another process has been installing the same packages, and it was not done in time").error(),
                 false);
  // Whoever had the lock before may have failed while we waited: that is our answer as much as theirs.
  const auto failure = index_->failure(id);
  if (!failure) return ended(failure.error(), false);
  if (*failure) {
    const auto& memory =
        (*failure)->error.code == "dependency_not_found" ? options_.not_found_memory : options_.failure_memory;
    if ((*failure)->sequence > failures_seen || fresh((*failure)->at_ms, memory))
      return ended((*failure)->error, false);
  }

  auto landed = fill_alone(wish, id, installer, deadline);
  if (landed) {
    if (*failure) (void)index_->forget_failure(id);
    return std::move(*landed);
  }
  auto out = ended(landed.error(), true);
  if (out.for_all && out.error->code != kNoInstaller) {
    (void)index_->put_failure(id, now_ms(), *out.error);
    root_.step("failure noted");
  }
  return out;
}

Expected<DependencyCache::Landed> DependencyCache::fill_alone(const Wish& wish, const std::string& id,
                                                              Installer& installer, Deadline deadline) {
  const auto landed = [](Lease lease, bool installed, bool stale) {
    Landed out;
    out.installed = installed;
    out.stale = stale;
    out.place = lease.record_.place;
    out.name = lease.record_.name;
    out.pin = std::make_shared<const Lease>(std::move(lease));
    return out;
  };
  auto there = ready(wish, id, deadline, false);
  if (!there) return std::unexpected(there.error());
  if (*there) return landed(std::move(**there), false, false);

  const auto lock = resolve(wish, installer, deadline);
  if (!lock && (lock.error().code == "dependency_network" || lock.error().code == kNoInstaller)) {
    // Yesterday's versions are better than none.
    auto old = ready(wish, id, deadline, true);
    if (old && *old) return landed(std::move(**old), false, true);
  }
  if (!lock) return std::unexpected(lock.error());

  // Other wishes may lead to the same lock, so this needs a lock of its own. Always after the wish's: no cycle.
  const auto place = root_.place(wish.scope);
  const auto name = root_.entry_name(wish.scope, entry_key(wish.target, *lock));
  auto alone = root_.install_locks().lock(lock_number(name), ProcessLocks::Kind::exclusive, deadline);
  if (!alone) return std::unexpected(alone.error());
  if (!*alone) return too_late("another process has been installing the same packages, and it was not done in time");
  there = open_entry(place, name, deadline);
  if (!there) return std::unexpected(there.error());
  if (*there) return landed(std::move(**there), false, false);

  auto made = make_entry(wish.target, *lock, place, name, installer, deadline);
  if (!made) return std::unexpected(made.error());
  PruneReport ignored;
  (void)shrink(options_.max_bytes, ignored);  // what cannot go now goes later
  return landed(std::move(*made), true, false);
}

// The caller holds the install lock of this name.
Expected<Lease> DependencyCache::make_entry(const Target& target, const Lock& lock, const std::string& place,
                                            const std::string& name, Installer& installer, Deadline deadline) {
  const auto started = Deadline::Clock::now();
  auto staging = root_.new_staging();
  if (!staging) return std::unexpected(staging.error());
  if (mkdirat(staging->fd(), "content", 0755)) return cache_error("cannot create a folder in the dependency cache");
  root_.step("content folder made");
  const auto installed =
      installer.install(target, lock, root_.path() / "staging" / staging->name() / "content", deadline);
  if (!installed) {
    if (disk_is_full(staging->fd()))
      return cache_error("cannot install the packages (" + installed.error().message + ")", ENOSPC);
    return std::unexpected(installed.error());
  }
  root_.step("packages installed");

  const Fd content(openat(staging->fd(), "content", kOpenFolder));
  if (!content) return cache_error("cannot open the installed packages");
  auto tree = seal_tree(content.get(), options_.entry_limits, deadline);
  if (!tree) return std::unexpected(tree.error());
  root_.step("content sealed");
  const auto manifest = manifest_text(*tree);
  if (manifest.size() > kMaxManifestBytes)
    return fail("install_too_large", "the installed packages have too many files");
  if (auto done = write_new_file(staging->fd(), "manifest", manifest, 0400); !done)
    return std::unexpected(done.error());
  root_.step("manifest written");

  const auto spent = Deadline::Clock::now() - started;
  EntryRecord record;
  record.name = name;
  record.place = place;
  record.key = entry_key(target, lock);
  record.target = target;
  record.items = tree->items.size();
  record.bytes = tree->bytes;
  record.created_ms = now_ms();
  record.install_ms = static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(spent).count());
  record.manifest = sha256(manifest);
  record.manifest_bytes = manifest.size();
  record.lock = lock;
  if (auto done = write_new_file(staging->fd(), "record", record_text(record, root_.secret()), 0400); !done)
    return std::unexpected(done.error());
  root_.step("record written");
  // Thousands of small files: one sync of the file system instead of one fsync for each.
  if (syncfs(staging->fd())) return cache_error("cannot write the installed packages to disk");
  root_.step("content durable");

  auto use = root_.use_locks().lock(lock_number(name), ProcessLocks::Kind::shared, deadline);
  if (!use) return std::unexpected(use.error());
  if (!*use) return too_late("an entry of the dependency cache was locked for too long");
  if (auto done = root_.put_in(*staging, place, name); !done) return std::unexpected(done.error());
  (void)index_->put(row_of(record));  // or at the first use
  root_.step("entry indexed");
  ++installs_;
  install_us_ += static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(spent).count());

  Lease lease;
  lease.lock_ = std::move(**use);
  lease.record_ = std::move(record);
  lease.mount_ = root_.path() / place;
  return lease;
}

CacheMetrics DependencyCache::metrics() {
  CacheMetrics out;
  out.hits = hits_, out.misses = misses_, out.waits = waits_, out.installs = installs_, out.failures = failures_;
  out.evictions = evictions_, out.stale = stale_;
  out.install_seconds = static_cast<double>(install_us_.load()) / 1e6;
  out.bytes = index_->total_bytes().value_or(0);
  return out;
}

}  // namespace hotcell::deps
