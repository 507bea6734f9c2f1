// Starts executions: what every door that runs programs does with a request once it has read it.
#pragma once
#include <atomic>
#include <expected>
#include <functional>
#include <memory>
#include <optional>

#include "protocol/request.h"
#include "server/audit.h"
#include "server/backend.h"
#include "server/execution.h"
#include "server/instruments.h"
#include "server/records.h"
#include "server/run_pool.h"

namespace hotcell::server {

struct LaunchOptions {
  double queue_allowance_seconds = 30;  // how long a request waits for its turn, unless it has a deadline
  std::size_t event_bytes = 1u << 20;   // of a stream, kept for those who come back
  std::filesystem::path modules;        // folder of named modules; empty: there are none
};

struct Launch {
  protocol::Request request;
  std::shared_ptr<Tenant> tenant;
  bool events = false, base64_events = false;
  bool patient = false;
  std::optional<double> begin_within;  // seconds; instead of the allowance
  Asker asker;
  std::function<void(const Record&, const Record::Ending&, const protocol::Result*)> ended;
};

// Thread-safe.
class Launcher {
 public:
  Launcher(Backend& backend, RunPool& pool, Records& records, Instruments& instruments, const Audit& audit,
           LaunchOptions options)
      : backend_(backend),
        pool_(pool),
        records_(records),
        instruments_(instruments),
        audit_(audit),
        options_(std::move(options)),
        queue_allowance_seconds_(options_.queue_allowance_seconds) {}

  // `ended` may be called before this returns. After a refusal it is not called.
  std::expected<std::shared_ptr<Record>, Refusal> start(Launch launch);

  // For those who stand in the queue themselves: an execution that is ready to be run where it is made.
  std::shared_ptr<Execution> prepare(Launch launch, std::shared_ptr<Record>& record);

  // What can be said against a request before it waits: limits of the tenant, modules that are not there. Names of
  // modules are replaced by what they stand for.
  std::optional<protocol::Problem> check(protocol::Request& request, const Tenant& tenant) const;

  RunPool& pool() { return pool_; }
  void set_queue_allowance(double seconds) { queue_allowance_seconds_ = seconds; }

 private:
  void turned_away(protocol::Language language, const Tenant& tenant, const std::string& id,
                   const protocol::Problem& why);

  Backend& backend_;
  RunPool& pool_;
  Records& records_;
  Instruments& instruments_;
  const Audit& audit_;
  const LaunchOptions options_;
  std::atomic<double> queue_allowance_seconds_;
};

}  // namespace hotcell::server
