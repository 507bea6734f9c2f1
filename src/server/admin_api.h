// What operators see and do: the live status, the programs that are there, the last lines of the log, the drain.
//
// Operators are root and the daemon's own user at the unix socket, and tokens that say so.
#pragma once
#include <functional>
#include <string>

#include "server/backend.h"
#include "server/call.h"
#include "server/log.h"
#include "server/recent.h"
#include "server/records.h"
#include "server/run_pool.h"
#include "server/status_api.h"
#include "server/usage.h"

namespace hotcell::server {

// On the loop.
class AdminApi {
 public:
  AdminApi(Backend& backend, const RunPool& pool, const Records& records, const Recent& recent, const UsageBook& usage,
           const Log& log, const StatusApi& status)
      : backend_(backend), pool_(pool), records_(records), recent_(recent), usage_(usage), log_(log), status_(status) {}

  void status(const Call& call);
  void executions(const Call& call);
  void logs(const Call& call);
  void drain(const Call& call);

  // Begins what SIGTERM begins. Not set: it cannot be asked for.
  std::function<void()> on_drain;
  std::function<std::size_t()> connections;  // how many there are; may be unset
  std::function<double()> drain_seconds;     // how long the drain may take; may be unset

 private:
  Backend& backend_;
  const RunPool& pool_;
  const Records& records_;
  const Recent& recent_;
  const UsageBook& usage_;
  const Log& log_;
  const StatusApi& status_;
  const std::chrono::system_clock::time_point started_ = std::chrono::system_clock::now();
};

}  // namespace hotcell::server
