// Looking after the cache: what is there, what may go, what is damaged. (Serving is in cache.cc.)
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/file.h"
#include "deps/cache.h"
#include "deps/errors.h"

namespace hotcell::deps {
namespace {

// Old locks may still serve where no index can be reached; after that they are only ballast.
constexpr std::int64_t kMemoTtls = 30;

}  // namespace

// Every entry that has a valid record, for an index that must begin anew.
Expected<std::vector<IndexRow>> DependencyCache::rows_from_folders() {
  const auto places = root_.places();
  if (!places) return std::unexpected(places.error());
  std::vector<IndexRow> rows;
  for (const auto& place : *places) {
    const auto names = root_.names_in(place);
    if (!names) return std::unexpected(names.error());
    for (const auto& name : *names) {
      if (!is_entry_name(name)) continue;
      const auto record = read_record(place, name);
      if (!record) return std::unexpected(record.error());
      if (*record) rows.push_back(row_of(**record));
    }
  }
  return rows;
}

// Makes the index say what the folders say.
Expected<DependencyCache::Reconciled> DependencyCache::reconcile() {
  auto rows = index_->rows();
  if (!rows) return std::unexpected(rows.error());
  std::map<std::string, IndexRow*> known;
  for (auto& row : *rows) known[row.place + "/" + row.name] = &row;
  const auto places = root_.places();
  if (!places) return std::unexpected(places.error());
  Reconciled out;
  std::vector<IndexRow> found;
  for (const auto& place : *places) {
    const auto names = root_.names_in(place);
    if (!names) return std::unexpected(names.error());
    for (const auto& name : *names) {
      const auto record = is_entry_name(name) ? read_record(place, name) : std::nullopt;
      if (!record) return std::unexpected(record.error());
      if (!*record) {
        out.strays.push_back({place, name});
        continue;
      }
      const auto row = known.find(std::string(place).append("/").append(name));
      if (row != known.end()) {
        found.push_back(std::move(*row->second));
        known.erase(row);
        continue;
      }
      found.push_back(row_of(**record));
      ++out.corrected;
      if (auto done = index_->put(found.back()); !done) return std::unexpected(done.error());
    }
  }
  for (const auto& [path, row] : known) {
    // Looked at once more, under no lock: it may have been installed after the folder was listed.
    const auto record = read_record(row->place, row->name);
    if (!record) return std::unexpected(record.error());
    if (*record) {
      found.push_back(std::move(*row));
      continue;
    }
    ++out.corrected;
    if (auto done = index_->remove(row->name); !done) return std::unexpected(done.error());
  }
  std::ranges::sort(found, {}, &IndexRow::used_ms);
  out.rows = std::move(found);
  return out;
}

Expected<std::vector<CacheEntry>> DependencyCache::entries() {
  auto reconciled = reconcile();
  if (!reconciled) return std::unexpected(reconciled.error());
  std::vector<CacheEntry> out;
  for (auto& row : reconciled->rows) {
    const auto held = root_.use_locks().held(lock_number(row.name));
    if (!held) return std::unexpected(held.error());
    out.push_back({std::move(row), *held});
  }
  return out;
}

Expected<CacheEntry> DependencyCache::entry(std::string_view key_beginning) {
  if (key_beginning.empty()) return fail("invalid_field", "there is no key", "`hotcell cache ls` shows them");
  auto all = entries();
  if (!all) return std::unexpected(all.error());
  std::vector<CacheEntry> fitting;
  for (auto& one : *all)
    if (one.row.key.starts_with(key_beginning)) fitting.push_back(std::move(one));
  if (fitting.empty())
    return fail("dependency_not_cached", "no entry has a key that begins with " + quoted(key_beginning),
                "`hotcell cache ls` shows them");
  if (fitting.size() > 1)
    return fail("invalid_field",
                std::to_string(fitting.size()) + " entries have a key that begins with " + quoted(key_beginning),
                "write more of it");
  return std::move(fitting.front());
}

Expected<EntryRecord> DependencyCache::record(const IndexRow& row) {
  auto record = read_record(row.place, row.name);
  if (!record) return std::unexpected(record.error());
  if (!*record) return fail("dependency_not_cached", "the entry " + row.key + " is gone or damaged");
  return std::move(**record);
}

// False: somebody uses it.
Expected<bool> DependencyCache::remove_from(const std::string& place, const std::string& name) {
  const auto nobody = root_.use_locks().try_lock(lock_number(name), ProcessLocks::Kind::exclusive);
  if (!nobody) return std::unexpected(nobody.error());
  if (!*nobody) return false;
  auto taken = root_.take_out(place, name);
  if (!taken) return std::unexpected(taken.error());
  if (auto done = index_->remove(name); !done) return std::unexpected(done.error());
  root_.step("entry forgotten");
  *taken = std::nullopt;  // deletes the files
  root_.step("entry deleted");
  return true;
}

Expected<bool> DependencyCache::remove(const IndexRow& row) { return remove_from(row.place, row.name); }

Expected<bool> DependencyCache::evict(IndexRow& row, PruneReport& report) {
  const auto removed = remove_from(row.place, row.name);
  if (!removed) return removed;
  if (!*removed) {
    ++report.in_use;
    return false;
  }
  ++evictions_;
  report.bytes_freed += row.bytes;
  report.removed.push_back(std::move(row));
  return true;
}

Expected<void> DependencyCache::shrink(std::uint64_t to_bytes, PruneReport& report) {
  auto total = index_->total_bytes();
  if (!total) return std::unexpected(total.error());
  if (*total <= to_bytes) return {};
  auto rows = index_->rows();
  if (!rows) return std::unexpected(rows.error());
  for (auto& row : *rows) {
    if (*total <= to_bytes) break;
    const auto bytes = row.bytes;
    const auto evicted = evict(row, report);
    if (!evicted) return std::unexpected(evicted.error());
    if (*evicted) *total -= std::min(*total, bytes);
  }
  return {};
}

Expected<PruneReport> DependencyCache::prune() {
  PruneReport report;
  const auto swept = root_.sweep();
  if (!swept) return std::unexpected(swept.error());
  report.rubbish = *swept;
  auto reconciled = reconcile();
  if (!reconciled) return std::unexpected(reconciled.error());
  for (const auto& [place, name] : reconciled->strays) {
    const auto removed = remove_from(place, name);
    if (!removed) return std::unexpected(removed.error());
    ++(*removed ? report.rubbish : report.in_use);
  }
  for (auto& row : reconciled->rows) {
    if (fresh(row.used_ms, options_.ttl)) continue;
    if (auto evicted = evict(row, report); !evicted) return std::unexpected(evicted.error());
  }
  if (auto done = shrink(options_.max_bytes, report); !done) return std::unexpected(done.error());
  const auto now = now_ms();
  if (auto done = index_->forget_memos(now - kMemoTtls * options_.ttl.count()); !done)
    return std::unexpected(done.error());
  if (auto done = index_->forget_failures(now - std::max(options_.failure_memory, options_.not_found_memory).count());
      !done)
    return std::unexpected(done.error());
  return report;
}

// Everything that differs from what was installed.
Expected<std::vector<Damage>> DependencyCache::damage_of(const std::string& place, const std::string& name,
                                                         const std::optional<EntryRecord>& record, Deadline deadline,
                                                         std::uint64_t& bytes) {
  const auto whole = [](std::string what) { return std::vector<Damage>{{"", std::move(what)}}; };
  const auto folder = root_.open_place(place);
  if (!folder) return std::unexpected(folder.error());
  struct stat present{};
  if (fstatat(folder->get(), name.c_str(), &present, AT_SYMLINK_NOFOLLOW) && errno == ENOENT)
    return std::vector<Damage>{};  // evicted since it was listed
  if (!is_entry_name(name)) return whole("it is not an entry of this cache");
  if (!record) return whole("its record or manifest is missing, damaged, or of another installation");
  const Fd entry(openat(folder->get(), name.c_str(), kOpenFolder));
  if (!entry) return whole("it cannot be opened");
  std::vector<Damage> out;
  const auto expect = [&](const char* item, unsigned mode, bool is_folder) {
    struct stat st{};
    if (fstatat(entry.get(), item, &st, AT_SYMLINK_NOFOLLOW))
      out.push_back({item, "missing"});
    else if (is_folder ? !S_ISDIR(st.st_mode) : !S_ISREG(st.st_mode))
      out.push_back({item, "wrong kind"});
    else if ((st.st_mode & 07777) != mode || st.st_uid != geteuid())
      out.push_back({item, "wrong mode"});
  };
  expect(".", 0755, true);
  expect("content", 0555, true);
  expect("manifest", 0400, false);
  expect("record", 0400, false);
  const auto names = names_in_folder(entry.get());
  if (!names) return std::unexpected(names.error());
  for (const auto& item : *names)
    if (item != "content" && item != "manifest" && item != "record") out.push_back({item, "extra"});

  const Fd file(openat(entry.get(), "manifest", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  const auto text = file ? read_all(file.get(), kMaxManifestBytes, "manifest") : fail("", "");
  if (!text || sha256(*text) != record->manifest) return whole("its manifest was changed");
  const auto expected = parse_manifest(*text);
  if (!expected) return whole(expected.error().message);
  const Fd content(openat(entry.get(), "content", kOpenFolder));
  if (!content) return whole("its content cannot be opened");
  // What grew past any limit is damage, not a reason to stop.
  const auto found =
      read_tree(content.get(), {.max_items = 1'000'000, .max_bytes = UINT64_MAX, .max_depth = 256}, deadline);
  if (!found && found.error().code == "dependency_timeout") return std::unexpected(found.error());
  if (!found) return whole("its content cannot be read: " + found.error().message);
  bytes += found->bytes;
  for (auto& one : compare(*expected, found->items)) {
    one.path = "content/" + one.path;
    out.push_back(std::move(one));
  }
  return out;
}

Expected<VerifyReport> DependencyCache::verify(bool repair, Installer* installer, Deadline deadline) {
  VerifyReport report;
  const auto sound = index_->check();
  if (!sound) return std::unexpected(sound.error());
  report.index_sound = *sound;
  if (repair) {
    const auto swept = root_.sweep();
    if (!swept) return std::unexpected(swept.error());
  }
  const auto reconciled = reconcile();
  if (!reconciled) return std::unexpected(reconciled.error());
  report.index_corrected = reconciled->corrected;
  std::vector<Reconciled::Stray> all = reconciled->strays;
  for (const auto& row : reconciled->rows) all.push_back({row.place, row.name});

  for (const auto& [place, name] : all) {
    if (deadline.passed())
      return fail("dependency_timeout", "the time was over after " + std::to_string(report.entries) + " of " +
                                            std::to_string(all.size()) + " entries had been read");
    ++report.entries;
    // Held while it is read, so that nobody removes it under our hands; given back before it is repaired.
    auto lease = root_.use_locks().lock(lock_number(name), ProcessLocks::Kind::shared, deadline);
    if (!lease) return std::unexpected(lease.error());
    const auto record = is_entry_name(name) ? read_record(place, name) : std::nullopt;
    if (!record) return std::unexpected(record.error());
    auto damage = damage_of(place, name, *record, deadline, report.bytes);
    lease->reset();
    if (!damage) return std::unexpected(damage.error());
    if (damage->empty()) continue;
    VerifyReport::Found found{name, place, "", "", std::move(*damage), "reported"};
    if (*record) {
      const auto row = row_of(**record);
      found.key = row.key;
      found.packages = row.packages;
    }
    if (repair) {
      const auto action = repair_entry(place, name, *record, installer, deadline);
      if (!action) return std::unexpected(action.error());
      found.action = *action;
    }
    report.damaged.push_back(std::move(found));
  }
  return report;
}

Expected<std::string> DependencyCache::repair_entry(const std::string& place, const std::string& name,
                                                    const std::optional<EntryRecord>& record, Installer* installer,
                                                    Deadline deadline) {
  // Never served again, whatever happens next. Programs that use it keep what they have.
  if (const auto folder = root_.open_place(place); folder) {
    const Fd entry(openat(folder->get(), name.c_str(), kOpenFolder));
    if (entry) unlinkat(entry.get(), "record", 0);
    root_.step("record removed");
  }
  if (installer && record) {
    const auto alone = root_.install_locks().lock(lock_number(name), ProcessLocks::Kind::exclusive, deadline);
    if (!alone) return std::unexpected(alone.error());
    // Its folder takes the place of the damaged one, also under programs that use it.
    if (*alone && make_entry(record->target, record->lock, place, name, *installer, deadline)) return "rebuilt";
  }
  const auto removed = remove_from(place, name);
  if (!removed) return std::unexpected(removed.error());
  if (*removed) return "removed";
  if (auto done = index_->remove(name); !done) return std::unexpected(done.error());
  return "set aside";
}

}  // namespace hotcell::deps
