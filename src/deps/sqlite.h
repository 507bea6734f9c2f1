// Just enough of SQLite: a connection, statements that are prepared once, and errors as values.
#pragma once
#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"

namespace hotcell::deps {

// One use of a prepared statement. Everything that fails is remembered and comes out of step().
class Query {
 public:
  explicit Query(sqlite3_stmt* statement) : statement_(statement) {}
  Query(const Query&) = delete;
  Query& operator=(const Query&) = delete;
  ~Query() {
    sqlite3_reset(statement_);
    sqlite3_clear_bindings(statement_);
  }
  // The text must live until the query is over.
  Query& bind(std::string_view text) {
    note(sqlite3_bind_text64(statement_, ++bound_, text.data(), text.size(), SQLITE_STATIC, SQLITE_UTF8));
    return *this;
  }
  Query& bind(std::int64_t number) {
    note(sqlite3_bind_int64(statement_, ++bound_, number));
    return *this;
  }
  // SQLITE_ROW, SQLITE_DONE, or what went wrong.
  int step() { return failed_ ? failed_ : sqlite3_step(statement_); }
  std::string text(int column) const {
    const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement_, column));
    return bytes ? std::string(bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))) : "";
  }
  std::int64_t number(int column) const { return sqlite3_column_int64(statement_, column); }

 private:
  void note(int result) {
    if (result != SQLITE_OK && !failed_) failed_ = result;
  }
  sqlite3_stmt* statement_;
  int bound_ = 0;
  int failed_ = 0;
};

using Statement = std::unique_ptr<sqlite3_stmt, int (*)(sqlite3_stmt*)>;
using Connection = std::unique_ptr<sqlite3, int (*)(sqlite3*)>;

}  // namespace hotcell::deps
