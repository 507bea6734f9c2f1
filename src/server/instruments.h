// What the service counts (api.md B11): each metric named once, and where it is fed.
#pragma once
#include <string_view>

#include "protocol/problem.h"
#include "protocol/request.h"
#include "protocol/result.h"
#include "server/metrics.h"
#include "server/recent.h"

namespace hotcell::server {

// Thread-safe.
class Instruments {
 public:
  explicit Instruments(Metrics& metrics);

  void execution_ended(const std::string& tenant, protocol::Language language, const protocol::Result& result);
  void turned_away(const std::string& tenant, protocol::Language language, const std::string& id,
                   const protocol::Problem& why);
  void request_answered(std::string_view route, int status, std::string_view facade, double seconds);
  const Recent& recent() const { return recent_; }

 private:
  Recent recent_;
  Family<Counter>& executions_;
  Family<Histogram>& duration_;
  Family<Histogram>& phases_;
  Family<Counter>& rejected_;
  Family<Counter>& truncated_;
  Family<Counter>& limit_hits_;
  Family<Counter>& cache_requests_;
  Family<Counter>& pool_misses_;
  Family<Counter>& http_requests_;
  Family<Histogram>& http_duration_;
};

}  // namespace hotcell::server
