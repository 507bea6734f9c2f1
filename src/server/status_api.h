// What the service says about itself: health, metrics, capabilities, the description of its API.
#pragma once
#include <atomic>
#include <functional>
#include <string>

#include "server/backend.h"
#include "server/call.h"
#include "server/metrics.h"
#include "server/recent.h"
#include "server/run_pool.h"

namespace hotcell::server {

// Thread-safe.
class StatusApi {
 public:
  struct Facts {
    std::string version;
    double timeout_seconds = 30;
    unsigned max_running = 0, max_queued = 0;
    std::uint64_t body_bytes = 0;
    double retention_seconds = 0;
    std::vector<std::string> facades;
    std::string_view openapi;
  };

  // Facts change on the loop only, where they are read too.
  StatusApi(Backend& backend, const Metrics& metrics, const Recent& recent, const RunPool& pool, Facts facts)
      : backend_(backend), metrics_(metrics), recent_(recent), pool_(pool), facts_(std::move(facts)) {}

  void alive(const Call& call);
  void ready(const Call& call);
  void metrics(const Call& call);
  void capabilities(const Call& call);
  void status(const Call& call);
  void openapi(const Call& call);

  enum class Phase { starting, serving, draining };
  void set_phase(Phase phase) { phase_ = phase; }
  bool become_ready() {  // from starting only
    auto expected = Phase::starting;
    return phase_.compare_exchange_strong(expected, Phase::serving);
  }
  Phase phase() const { return phase_; }
  std::string_view phase_name() const;  // "starting", "serving", "draining"
  const Facts& facts() const { return facts_; }
  void set_facts(Facts facts) { facts_ = std::move(facts); }

 private:
  Backend& backend_;
  const Metrics& metrics_;
  const Recent& recent_;
  const RunPool& pool_;
  Facts facts_;
  std::atomic<Phase> phase_{Phase::starting};
};

}  // namespace hotcell::server
