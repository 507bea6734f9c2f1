// /v1/executions/{id}: what became of an execution, its events, its files, and ending it.
#pragma once
#include "server/call.h"
#include "server/records.h"

namespace hotcell::server {

// Thread-safe.
class ExecutionsApi {
 public:
  explicit ExecutionsApi(Records& records) : records_(records) {}

  void get(const Call& call);
  void events(const Call& call);
  void cancel(const Call& call);
  void file(const Call& call);

 private:
  std::shared_ptr<Record> find(const Call& call) const;  // nullptr: the call has been answered

  Records& records_;
};

}  // namespace hotcell::server
