// What the cache knows about its entries without looking at them: how large, how old, when last used; and what has no
// folder of its own: which lock a wish was resolved to, and which installs failed lately.
//
// The folders are the truth, the index is advice. Whether an entry exists is decided by its folder and its signed
// record; so a lost or damaged index costs a rebuild from the records and the memory of resolved wishes, never a wrong
// answer, and its writes need not reach the disk at once (WAL, synchronous=NORMAL). A damaged index is thrown away
// where it is noticed.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "deps/entry_record.h"
#include "deps/process_locks.h"
#include "deps/sqlite.h"

namespace hotcell::deps {

struct IndexRow {
  std::string name, place;
  std::string key;  // hexadecimal
  std::string ecosystem, interpreter, platform;
  std::string packages;  // "certifi 2022.12.7, requests 2.28.0", cut where it gets long
  std::uint64_t bytes = 0, items = 0;
  std::int64_t created_ms = 0, used_ms = 0;
  std::uint64_t install_ms = 0;
};

IndexRow row_of(const EntryRecord& record);

// Thread-safe. Not to be used across fork().
class CacheIndex {
 public:
  // Calls `refill` to enter all entries into an index that is new or had to be thrown away.
  using Refill = std::function<Expected<std::vector<IndexRow>>()>;
  static Expected<std::unique_ptr<CacheIndex>> open(const std::filesystem::path& file, const ProcessLocks& setup,
                                                    Refill refill);

  Expected<void> put(const IndexRow& row);  // replaces
  Expected<void> remove(std::string_view name);
  // Entered as used now, unless that was noted less than `at_least_ms` ago. False: it isn't in the index.
  Expected<bool> touch(std::string_view name, std::int64_t now_ms, std::int64_t at_least_ms);
  Expected<std::vector<IndexRow>> rows();  // least recently used first
  Expected<std::uint64_t> total_bytes();

  struct Memo {
    std::string lock;
    std::int64_t resolved_ms = 0;
  };
  Expected<std::optional<Memo>> memo(std::string_view wish);
  Expected<void> put_memo(std::string_view wish, const Memo& memo);
  Expected<void> forget_memos(std::int64_t resolved_before_ms);

  struct Failure {
    std::int64_t sequence = 0;  // grows with each failure that is noted
    std::int64_t at_ms = 0;
    Error error;
  };
  Expected<std::optional<Failure>> failure(std::string_view wish);
  Expected<std::int64_t> last_failure();  // its sequence
  Expected<void> put_failure(std::string_view wish, std::int64_t now_ms, const Error& error);
  Expected<void> forget_failure(std::string_view wish);
  Expected<void> forget_failures(std::int64_t before_ms);

  // Reads all of it; a damaged one is replaced. False: it was.
  Expected<bool> check();
  // Throws it away and enters all entries again.
  Expected<void> rebuild();

 private:
  CacheIndex(std::filesystem::path file, const ProcessLocks& setup, Refill refill);

  // Runs the work on an open, undamaged index: opens it where it isn't, notices when the file was replaced by another
  // process, rebuilds it once if it is damaged. `work` returns what SQLite said, SQLITE_OK or _DONE for success.
  Expected<void> with(const std::function<int()>& work);
  Expected<int> connect();
  Expected<void> replace();
  bool vanished(int result) const;
  bool replaced_by_others() const;
  std::unexpected<Error> broken(int result) const;
  sqlite3_stmt* prepared(int which);

  std::filesystem::path file_;
  const ProcessLocks& setup_;
  Refill refill_;
  std::recursive_mutex mutex_;  // refill_ may come back here
  Connection connection_;
  std::vector<Statement> statements_;  // after the connection: closed before it
  std::uint64_t device_ = 0, inode_ = 0;
};

}  // namespace hotcell::deps
