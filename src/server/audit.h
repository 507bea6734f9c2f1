// The audit log: for every program one line that says who ran the code of which hash, where, and what became of it.
// Never the code itself. Off unless `server.audit` is set: it costs a hash and a line for each run.
#pragma once
#include <atomic>
#include <string>

#include "protocol/request.h"
#include "protocol/result.h"
#include "server/http/exchange.h"
#include "server/log.h"
#include "server/record.h"
#include "server/tenant.h"

namespace hotcell::server {

// Which request it was, and from where: "unix", "127.0.0.1:4711".
struct Asker {
  std::string request_id, trace_id, from;
};
Asker asker_of(const http::Exchange& exchange);

// Thread-safe.
class Audit {
 public:
  explicit Audit(Log& log, bool on) : log_(log), on_(on) {}
  void turn(bool on) { on_ = on; }

  // What must be noted before the program goes its way. Empty hash: nothing is written for this run.
  struct Note {
    Asker asker;
    std::string what, sha256;  // "code", "argv" or "wasm"
  };
  Note note(const protocol::Request& request, Asker asker) const;
  void ended(const Note& note, const Tenant& tenant, protocol::Language language, const Record& record,
             const Record::Ending& ending, const protocol::Result* result) const;

 private:
  Log& log_;
  std::atomic<bool> on_;
};

}  // namespace hotcell::server
