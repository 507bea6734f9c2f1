#include "deps/cache_index.h"

#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "deps/errors.h"

namespace hotcell::deps {
namespace {

namespace fs = std::filesystem;

constexpr int kVersion = 1;
constexpr std::uint64_t kSetupLock = 0;
constexpr int kBusyMilliseconds = 2000;
constexpr std::size_t kShownPackages = 2000;

constexpr char kSchema[] = R"(
  create table entries (name text primary key, place text not null, key text not null, ecosystem text not null,
    interpreter text not null, platform text not null, packages text not null, bytes integer not null,
    items integer not null, created_ms integer not null, used_ms integer not null, install_ms integer not null
  ) without rowid;
  create index entries_by_use on entries (used_ms);
  create table memos (wish text primary key, lock text not null, resolved_ms integer not null) without rowid;
  create table failures (sequence integer primary key autoincrement, wish text not null unique, at_ms integer not null,
    code text not null, message text not null, hint text not null);
)";

enum Which {
  put_row,
  remove_row,
  touch_row,
  row_used,
  all_rows,
  sum_bytes,
  get_memo,
  set_memo,
  drop_memos,
  get_failure,
  max_failure,
  set_failure,
  drop_failure,
  drop_failures,
  kStatements
};
constexpr std::array<const char*, kStatements> kSql = {
    "insert or replace into entries values (?,?,?,?,?,?,?,?,?,?,?,?)",
    "delete from entries where name = ?",
    "update entries set used_ms = ? where name = ?",
    "select used_ms from entries where name = ?",
    "select name, place, key, ecosystem, interpreter, platform, packages, bytes, items, created_ms, used_ms, install_ms"
    " from entries order by used_ms",
    "select coalesce(sum(bytes), 0) from entries",
    "select lock, resolved_ms from memos where wish = ?",
    "insert or replace into memos values (?,?,?)",
    "delete from memos where resolved_ms < ?",
    "select sequence, at_ms, code, message, hint from failures where wish = ?",
    "select coalesce(max(seq), 0) from sqlite_sequence where name = 'failures'",
    "insert or replace into failures (wish, at_ms, code, message, hint) values (?,?,?,?,?)",
    "delete from failures where wish = ?",
    "delete from failures where at_ms < ?",
};

bool is_damage(int result) {
  const int primary = result & 0xff;
  // SQLITE_ERROR: the schema is not ours; SQLITE_MISMATCH and _CONSTRAINT cannot come from our own statements.
  return primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB || primary == SQLITE_ERROR || primary == SQLITE_SCHEMA ||
         primary == SQLITE_MISMATCH || primary == SQLITE_CONSTRAINT || result == SQLITE_IOERR_SHORT_READ;
}

}  // namespace

IndexRow row_of(const EntryRecord& record) {
  IndexRow row;
  row.name = record.name;
  row.place = record.place;
  row.key = hex(record.key);
  row.ecosystem = name_of(record.target.ecosystem);
  row.interpreter = record.target.interpreter;
  row.platform = record.target.platform;
  for (const auto& package : record.lock.packages()) {
    row.packages += (row.packages.empty() ? "" : ", ") + package.name + " " + package.version;
    if (row.packages.size() > kShownPackages) {
      row.packages += ", …";
      break;
    }
  }
  row.bytes = record.bytes;
  row.items = record.items;
  row.created_ms = row.used_ms = record.created_ms;
  row.install_ms = record.install_ms;
  return row;
}

CacheIndex::CacheIndex(fs::path file, const ProcessLocks& setup, Refill refill)
    : file_(std::move(file)), setup_(setup), refill_(std::move(refill)), connection_(nullptr, sqlite3_close) {}

Expected<std::unique_ptr<CacheIndex>> CacheIndex::open(const fs::path& file, const ProcessLocks& setup, Refill refill) {
  std::unique_ptr<CacheIndex> index(new CacheIndex(file, setup, std::move(refill)));
  if (auto done = index->with([] { return SQLITE_OK; }); !done) return std::unexpected(done.error());
  return index;
}

// SQLITE_OK: the connection is open on an index of ours. SQLITE_NOTADB: there is none, or it is damaged.
// SQLITE_CANTOPEN: others have just replaced it.
Expected<int> CacheIndex::connect() {
  statements_.clear();
  connection_.reset();
  struct stat st{};
  if (::stat(file_.c_str(), &st)) {
    if (errno == ENOENT) return SQLITE_NOTADB;
    return cache_error("cannot look at the index of the dependency cache");
  }
  device_ = st.st_dev;
  inode_ = st.st_ino;
  sqlite3* raw = nullptr;
  const int opened = sqlite3_open_v2(file_.c_str(), &raw, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
  connection_.reset(raw);
  const auto not_opened = [this](int result) -> Expected<int> {
    if (vanished(result)) return SQLITE_CANTOPEN;
    return is_damage(result) ? Expected<int>(SQLITE_NOTADB) : broken(result);
  };
  if (opened != SQLITE_OK) return not_opened(opened);
  sqlite3_extended_result_codes(raw, 1);
  sqlite3_busy_timeout(raw, kBusyMilliseconds);
  const auto run = [&](const char* sql) { return sqlite3_exec(raw, sql, nullptr, nullptr, nullptr); };
  sqlite3_stmt* version = nullptr;
  int result = sqlite3_prepare_v2(raw, "pragma user_version", -1, &version, nullptr);
  const Statement statement(version, sqlite3_finalize);
  if (result == SQLITE_OK) result = sqlite3_step(version);
  if (result != SQLITE_ROW) return not_opened(result);
  if (sqlite3_column_int(version, 0) != kVersion) return SQLITE_NOTADB;
  for (const char* sql : {"pragma synchronous = normal", "pragma cell_size_check = on", "pragma trusted_schema = off"})
    if (const int set = run(sql); set != SQLITE_OK) return not_opened(set);
  for (const char* sql : kSql) {
    sqlite3_stmt* one = nullptr;
    const int prepared = sqlite3_prepare_v3(raw, sql, -1, SQLITE_PREPARE_PERSISTENT, &one, nullptr);
    if (prepared != SQLITE_OK) {
      statements_.clear();
      return not_opened(prepared);
    }
    statements_.emplace_back(one, sqlite3_finalize);
  }
  return SQLITE_OK;
}

// Another process took a file away that this one was about to use: the log, as the last one that had it open, or all of
// it, to make it anew.
bool CacheIndex::vanished(int result) const {
  const int primary = result & 0xff;
  if (primary == SQLITE_CANTOPEN && connection_ && sqlite3_system_errno(connection_.get()) == ENOENT) return true;
  return (primary == SQLITE_CANTOPEN || primary == SQLITE_IOERR) && replaced_by_others();
}

bool CacheIndex::replaced_by_others() const {
  struct stat st{};
  return ::stat(file_.c_str(), &st) || st.st_dev != device_ || st.st_ino != inode_;
}

// A new index with all entries, unless others have made one. One process does it; the others wait and then find it.
Expected<void> CacheIndex::replace() {
  const auto alone = setup_.lock(kSetupLock, ProcessLocks::Kind::exclusive, Deadline::after_seconds(60));
  if (!alone) return std::unexpected(alone.error());
  if (!*alone) return fail("cache_unusable", "the index of the dependency cache is being rebuilt for too long");
  if (replaced_by_others()) {
    const auto connected = connect();
    if (!connected) return std::unexpected(connected.error());
    if (*connected == SQLITE_OK || *connected == SQLITE_CANTOPEN) return {};
  }
  statements_.clear();
  connection_.reset();
  // The log first: the log of an old index beside a new one would be replayed into it.
  for (const char* suffix : {"-wal", "-shm", "-journal", ".tmp", ".tmp-journal", ".tmp-wal", ".tmp-shm", ""}) {
    const std::string name = file_.string() + suffix;
    if (unlink(name.c_str()) && errno != ENOENT) return cache_error("cannot remove a damaged index " + name);
  }
  auto rows = refill_();
  if (!rows) return std::unexpected(rows.error());

  // Made under another name and then moved, so that nobody ever opens half of one.
  const std::string temporary = file_.string() + ".tmp";
  {
    sqlite3* raw = nullptr;
    const int opened = sqlite3_open_v2(temporary.c_str(), &raw, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, nullptr);
    const Connection fresh(raw, sqlite3_close);
    const auto run = [&](const std::string& sql) { return sqlite3_exec(raw, sql.c_str(), nullptr, nullptr, nullptr); };
    int result = opened;
    const std::string version = "pragma user_version = " + std::to_string(kVersion);
    for (const std::string& sql :
         {std::string("pragma journal_mode = memory"), std::string("begin"), version, std::string(kSchema)})
      if (result == SQLITE_OK) result = run(sql);
    sqlite3_stmt* insert = nullptr;
    if (result == SQLITE_OK) result = sqlite3_prepare_v2(raw, kSql[put_row], -1, &insert, nullptr);
    const Statement statement(insert, sqlite3_finalize);
    for (const auto& row : *rows) {
      if (result != SQLITE_OK) break;
      Query query(insert);
      query.bind(row.name).bind(row.place).bind(row.key).bind(row.ecosystem).bind(row.interpreter).bind(row.platform);
      query.bind(row.packages).bind(static_cast<std::int64_t>(row.bytes)).bind(static_cast<std::int64_t>(row.items));
      query.bind(row.created_ms).bind(row.used_ms).bind(static_cast<std::int64_t>(row.install_ms));
      if (const int stepped = query.step(); stepped != SQLITE_DONE) result = stepped;
    }
    if (result == SQLITE_OK) result = run("commit");
    if (result == SQLITE_OK) result = run("pragma journal_mode = wal");  // stays with the file
    if (result != SQLITE_OK) return broken(result);
  }
  if (chmod(temporary.c_str(), 0600) || rename(temporary.c_str(), file_.c_str()))
    return cache_error("cannot replace the index of the dependency cache");
  const auto connected = connect();
  if (!connected) return std::unexpected(connected.error());
  if (*connected != SQLITE_OK)
    return fail("cache_unusable", "the index of the dependency cache cannot be read back: " + file_.string());
  return {};
}

std::unexpected<Error> CacheIndex::broken(int result) const {
  const int primary = result & 0xff;
  const std::string tried = "cannot use the index " + file_.string();
  if (primary == SQLITE_FULL) return cache_error(tried, ENOSPC);
  if (primary == SQLITE_READONLY || primary == SQLITE_PERM) return cache_error(tried, EROFS);
  // SQLite has one word for all failed writes, and loses the number on some ways.
  int number = connection_ ? sqlite3_system_errno(connection_.get()) : 0;
  if (number == 0 && primary == SQLITE_IOERR) number = errno;
  if (number) return cache_error(tried, number);
  return fail("cache_unusable", tried + ": " + sqlite3_errstr(result),
              primary == SQLITE_BUSY ? "another process holds it: look for a stopped hotcell process"
                                     : "set DEPENDENCY_CACHE_DIR to a folder on a local disk");
}

Expected<void> CacheIndex::with(const std::function<int()>& work) {
  const std::lock_guard guard(mutex_);
  for (int attempt = 0; attempt < 5; ++attempt) {
    if (!connection_ || statements_.empty() || replaced_by_others()) {
      const auto connected = connect();
      if (!connected) return std::unexpected(connected.error());
      if (*connected == SQLITE_CANTOPEN) continue;
      if (*connected != SQLITE_OK) {
        if (auto done = replace(); !done) return done;
        continue;
      }
    }
    errno = 0;
    const int result = work();
    if (result == SQLITE_OK || result == SQLITE_DONE || result == SQLITE_ROW) return {};
    if (vanished(result)) {
      statements_.clear();
      continue;
    }
    if (!is_damage(result)) return broken(result);
    if (auto done = replace(); !done) return done;
  }
  return fail("cache_unusable", "the index of the dependency cache gets damaged again and again: " + file_.string(),
              "look at the disk, or set DEPENDENCY_CACHE_DIR to a folder on another one");
}

sqlite3_stmt* CacheIndex::prepared(int which) { return statements_[static_cast<std::size_t>(which)].get(); }

Expected<void> CacheIndex::put(const IndexRow& row) {
  return with([&] {
    Query query(prepared(put_row));
    query.bind(row.name).bind(row.place).bind(row.key).bind(row.ecosystem).bind(row.interpreter).bind(row.platform);
    query.bind(row.packages).bind(static_cast<std::int64_t>(row.bytes)).bind(static_cast<std::int64_t>(row.items));
    query.bind(row.created_ms).bind(row.used_ms).bind(static_cast<std::int64_t>(row.install_ms));
    return query.step();
  });
}

Expected<void> CacheIndex::remove(std::string_view name) {
  return with([&] { return Query(prepared(remove_row)).bind(name).step(); });
}

Expected<bool> CacheIndex::touch(std::string_view name, std::int64_t now_ms, std::int64_t at_least_ms) {
  bool known = false;
  auto done = with([&] {
    std::int64_t used = 0;
    {
      Query query(prepared(row_used));
      const int result = query.bind(name).step();
      known = result == SQLITE_ROW;
      if (!known) return result;
      used = query.number(0);
    }
    if (used <= now_ms && now_ms - used < at_least_ms) return SQLITE_OK;
    return Query(prepared(touch_row)).bind(now_ms).bind(name).step();
  });
  if (!done) return std::unexpected(done.error());
  return known;
}

Expected<std::vector<IndexRow>> CacheIndex::rows() {
  std::vector<IndexRow> out;
  auto done = with([&] {
    out.clear();
    Query query(prepared(all_rows));
    int result;
    while ((result = query.step()) == SQLITE_ROW) {
      IndexRow row;
      row.name = query.text(0), row.place = query.text(1), row.key = query.text(2);
      row.ecosystem = query.text(3), row.interpreter = query.text(4), row.platform = query.text(5);
      row.packages = query.text(6);
      row.bytes = static_cast<std::uint64_t>(query.number(7)), row.items = static_cast<std::uint64_t>(query.number(8));
      row.created_ms = query.number(9), row.used_ms = query.number(10);
      row.install_ms = static_cast<std::uint64_t>(query.number(11));
      out.push_back(std::move(row));
    }
    return result;
  });
  if (!done) return std::unexpected(done.error());
  return out;
}

Expected<std::uint64_t> CacheIndex::total_bytes() {
  std::uint64_t total = 0;
  auto done = with([&] {
    Query query(prepared(sum_bytes));
    const int result = query.step();
    if (result == SQLITE_ROW) total = static_cast<std::uint64_t>(query.number(0));
    return result;
  });
  if (!done) return std::unexpected(done.error());
  return total;
}

Expected<std::optional<CacheIndex::Memo>> CacheIndex::memo(std::string_view wish) {
  std::optional<Memo> out;
  auto done = with([&] {
    out.reset();
    Query query(prepared(get_memo));
    const int result = query.bind(wish).step();
    if (result == SQLITE_ROW) out = Memo{query.text(0), query.number(1)};
    return result;
  });
  if (!done) return std::unexpected(done.error());
  return out;
}

Expected<void> CacheIndex::put_memo(std::string_view wish, const Memo& memo) {
  return with([&] { return Query(prepared(set_memo)).bind(wish).bind(memo.lock).bind(memo.resolved_ms).step(); });
}

Expected<void> CacheIndex::forget_memos(std::int64_t resolved_before_ms) {
  return with([&] { return Query(prepared(drop_memos)).bind(resolved_before_ms).step(); });
}

Expected<std::optional<CacheIndex::Failure>> CacheIndex::failure(std::string_view wish) {
  std::optional<Failure> out;
  auto done = with([&] {
    out.reset();
    Query query(prepared(get_failure));
    const int result = query.bind(wish).step();
    if (result == SQLITE_ROW)
      out = Failure{query.number(0), query.number(1), {query.text(2), query.text(3), query.text(4)}};
    return result;
  });
  if (!done) return std::unexpected(done.error());
  return out;
}

Expected<std::int64_t> CacheIndex::last_failure() {
  std::int64_t out = 0;
  auto done = with([&] {
    Query query(prepared(max_failure));
    const int result = query.step();
    if (result == SQLITE_ROW) out = query.number(0);
    return result;
  });
  if (!done) return std::unexpected(done.error());
  return out;
}

Expected<void> CacheIndex::put_failure(std::string_view wish, std::int64_t now_ms, const Error& error) {
  return with([&] {
    Query query(prepared(set_failure));
    return query.bind(wish).bind(now_ms).bind(error.code).bind(error.message).bind(error.hint).step();
  });
}

Expected<void> CacheIndex::forget_failure(std::string_view wish) {
  return with([&] { return Query(prepared(drop_failure)).bind(wish).step(); });
}

Expected<void> CacheIndex::forget_failures(std::int64_t before_ms) {
  return with([&] { return Query(prepared(drop_failures)).bind(before_ms).step(); });
}

Expected<bool> CacheIndex::check() {
  const std::lock_guard guard(mutex_);
  bool sound = true;
  auto done = with([&] {
    sqlite3_stmt* raw = nullptr;
    const int prepared_as = sqlite3_prepare_v2(connection_.get(), "pragma integrity_check(1)", -1, &raw, nullptr);
    if (prepared_as != SQLITE_OK) return prepared_as;
    const Statement statement(raw, sqlite3_finalize);
    Query query(raw);
    const int result = query.step();
    if (result == SQLITE_ROW && query.text(0) != "ok") {
      sound = false;
      return SQLITE_CORRUPT;
    }
    if (is_damage(result)) sound = false;
    return result;
  });
  if (!done) return std::unexpected(done.error());
  return sound;
}

Expected<void> CacheIndex::rebuild() {
  const std::lock_guard guard(mutex_);
  return replace();
}

}  // namespace hotcell::deps
