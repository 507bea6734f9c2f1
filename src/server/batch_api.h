// POST /v1/batch: many programs, their answers in order.
#pragma once
#include "server/call.h"
#include "server/execute_api.h"

namespace hotcell::server {

// Thread-safe.
class BatchApi {
 public:
  BatchApi(Launcher& launcher, const ExecuteApi& execute) : launcher_(launcher), execute_(execute) {}
  void batch(const Call& call);

 private:
  Launcher& launcher_;
  const ExecuteApi& execute_;
};

}  // namespace hotcell::server
