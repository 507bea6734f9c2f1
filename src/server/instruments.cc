#include "server/instruments.h"

#include <string>

namespace hotcell::server {

using namespace protocol;

Instruments::Instruments(Metrics& metrics)
    : executions_(metrics.counter("hotcell_executions_total", "Programs, by what became of them",
                                  {"engine", "language", "status"})),
      duration_(metrics.histogram("hotcell_execution_duration_seconds", "From admission to the result",
                                  {"engine", "language", "status"})),
      phases_(metrics.histogram("hotcell_execution_phase_seconds", "Parts of that time", {"engine", "phase"})),
      rejected_(metrics.counter("hotcell_admission_rejected_total", "Requests that were not admitted", {"reason"})),
      truncated_(
          metrics.counter("hotcell_output_truncated_total", "Streams that were longer than their limit", {"engine"})),
      limit_hits_(metrics.counter("hotcell_limit_hits_total", "Programs that a limit ended", {"limit"})),
      cache_requests_(metrics.counter("hotcell_dependency_cache_requests_total",
                                      "Programs that needed packages, by whether they were there", {"result"})),
      pool_misses_(
          metrics.counter("hotcell_pool_misses_total", "Programs that had to wait for a new cell", {"engine"})),
      http_requests_(metrics.counter("hotcell_http_requests_total", "Answers", {"route", "code", "facade"})),
      http_duration_(metrics.histogram("hotcell_http_request_duration_seconds",
                                       "From the end of a request's headers to the end of its answer", {"route"})) {}

void Instruments::execution_ended(const std::string& tenant, Language language, const Result& result) {
  recent_.ended(tenant, language, result, Recent::Clock::now());
  const auto& outcome = result.outcome;
  const std::string_view engine = outcome.engine.name.empty() ? "none" : std::string_view(outcome.engine.name);
  const auto status = name_of(outcome.status);
  executions_.with({engine, name_of(language), status}).add();
  const double seconds = std::chrono::duration<double>(result.finished_at - result.created_at).count();
  duration_.with({engine, name_of(language), status}).observe(seconds);
  const auto& usage = outcome.usage;
  phases_.with({engine, "queue"}).observe(usage.queue_seconds);
  phases_.with({engine, "run"}).observe(usage.wall_seconds);
  if (usage.setup_seconds > 0) phases_.with({engine, "setup"}).observe(usage.setup_seconds);
  if (usage.install_seconds > 0) phases_.with({engine, "dependencies"}).observe(usage.install_seconds);
  const double others = usage.queue_seconds + usage.wall_seconds + usage.setup_seconds + usage.install_seconds;
  phases_.with({engine, "collect"}).observe(std::max(0.0, seconds - others));
  if (outcome.out.truncated || outcome.err.truncated) truncated_.with({engine}).add();
  if (outcome.status == Status::timeout || outcome.status == Status::limit_exceeded)
    limit_hits_
        .with({outcome.failure && !outcome.failure->limit.empty() ? std::string_view(outcome.failure->limit) : "time"})
        .add();
  if (result.dependency_cache != "none") cache_requests_.with({result.dependency_cache}).add();
  if (outcome.engine.start == "cold") pool_misses_.with({engine}).add();
}

void Instruments::turned_away(const std::string& tenant, Language language, const std::string& id, const Problem& why) {
  recent_.refused(tenant, language, id, why, Recent::Clock::now());
  rejected_.with({why.code}).add();
}

void Instruments::request_answered(std::string_view route, int status, std::string_view facade, double seconds) {
  http_requests_.with({route, std::to_string(status), facade}).add();
  http_duration_.with({route}).observe(seconds);
}

}  // namespace hotcell::server
