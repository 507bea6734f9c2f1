// POST /v1/execute: one program, or one program with many inputs.
#pragma once
#include <atomic>
#include <nlohmann/json.hpp>
#include <optional>

#include "server/batch.h"
#include "server/call.h"
#include "server/event_stream.h"
#include "server/idempotency.h"
#include "server/launcher.h"

namespace hotcell::server {

// Thread-safe.
class ExecuteApi {
 public:
  ExecuteApi(Launcher& launcher, Idempotency& idempotency, double timeout_seconds)
      : launcher_(launcher), idempotency_(idempotency), timeout_seconds_(timeout_seconds) {}

  void execute(const Call& call);

  // How the answer to one execution is dressed; the default is the result itself.
  using Dress = std::function<http::Response(const Record&, const Record::Ending&, const protocol::Result*)>;
  // Runs it and answers the call, once, however it is sent: Idempotency-Key, streams, disconnects.
  void run(const Call& call, protocol::Request request, Dress dress = nullptr);

  void set_timeout(double seconds) { timeout_seconds_ = seconds; }

  // A request inside a document, with this service's defaults.
  std::expected<protocol::Request, protocol::Problem> read(nlohmann::json&& document) const;

 private:
  // True: the key has settled the matter.
  bool settled_by_key(const Call& call, const std::string& key, const Dress& dress);

  Launcher& launcher_;
  Idempotency& idempotency_;
  std::atomic<double> timeout_seconds_;  // of requests that name none
};

}  // namespace hotcell::server
