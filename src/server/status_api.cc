#include "server/status_api.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "protocol/json_reader.h"
#include "protocol/result.h"
#include "protocol/timestamp.h"

namespace hotcell::server {

using namespace protocol;
using Json = nlohmann::ordered_json;

namespace {

Json limits_json(const Limits& limits) {
  Json out = Json::object();
  const auto add = [&](const char* name, const auto& value) {
    if (value) out[name] = *value;
  };
  add("memory_bytes", limits.memory_bytes);
  add("cpu_seconds", limits.cpu_seconds);
  add("cpus", limits.cpus);
  add("pids", limits.pids);
  add("disk_bytes", limits.disk_bytes);
  add("output_bytes", limits.output_bytes);
  add("result_bytes", limits.result_bytes);
  add("files_bytes", limits.files_bytes);
  add("fuel", limits.fuel);
  return out;
}

Json engine_json(const EngineFacts& engine) {
  Json languages = Json::array(), features = Json::object(), isolation = Json::object();
  for (const auto& language : engine.languages)
    languages.push_back({{"name", language.name}, {"version", language.version}, {"aliases", language.aliases}});
  for (const auto& [name, there] : engine.features) features[name] = there;
  for (const auto& [name, found] : engine.isolation) isolation[name] = found;
  return {{"name", engine.name},
          {"version", engine.version},
          {"ready", engine.ready},
          {"why_not", engine.ready ? Json(nullptr) : Json(engine.why_not)},
          {"languages", std::move(languages)},
          {"limits", {{"default", limits_json(engine.standard)}, {"maximum", limits_json(engine.most)}}},
          {"features", std::move(features)},
          {"isolation", std::move(isolation)}};
}

// What went wrong is for everybody to see, what it said only for its owner.
Json failure_json(const Recent::Failure& failure, const std::string& tenant) {
  const bool own = failure.tenant == tenant;
  return {{"at", to_timestamp(failure.at)},
          {"id", own && !failure.id.empty() ? Json(failure.id) : Json(nullptr)},
          {"language", failure.language},
          {"engine", failure.engine},
          {"status", failure.status},
          {"code", failure.code},
          {"message", own ? Json(failure.message) : Json(nullptr)}};
}

}  // namespace

std::string_view StatusApi::phase_name() const {
  switch (phase_.load()) {
    case Phase::starting:
      return "starting";
    case Phase::serving:
      return "serving";
    case Phase::draining:
      break;
  }
  return "draining";
}

// The loop turned, or this would not be answered.
void StatusApi::alive(const Call& call) { call.respond(http::Response::text("ok\n")); }

void StatusApi::ready(const Call& call) {
  const auto engines = backend_.engines();
  const auto up = std::ranges::count_if(engines, [](const auto& engine) { return engine.ready; });
  const auto now = phase_.load();
  const bool good = now == Phase::serving && up > 0;
  const char* status = now == Phase::starting                             ? "starting"
                       : now == Phase::draining                           ? "draining"
                       : up == 0                                          ? "no engine is ready"
                       : up < static_cast<std::ptrdiff_t>(engines.size()) ? "degraded"
                                                                          : "ready";
  Json checks = Json::object();
  for (const auto& engine : engines) checks[engine.name] = engine.ready ? "ready" : engine.why_not;
  const Json json{{"status", status}, {"engines", std::move(checks)}};
  call.respond(http::Response::json(dump(json), good ? 200 : 503));
}

void StatusApi::metrics(const Call& call) {
  call.respond(http::Response::text(metrics_.text(), "text/plain; version=0.0.4; charset=utf-8"));
}

void StatusApi::capabilities(const Call& call) {
  Json engines = Json::array();
  // Every language once, with the engines that have it.
  std::vector<Json> languages;
  for (const auto& engine : backend_.engines()) {
    engines.push_back(engine_json(engine));
    for (const auto& language : engine.languages) {
      auto known =
          std::ranges::find(languages, language.name, [](const Json& one) { return one["name"].get<std::string>(); });
      if (known == languages.end())
        known = languages.insert(
            languages.end(), Json{{"name", language.name}, {"aliases", language.aliases}, {"engines", Json::array()}});
      (*known)["engines"].push_back(engine.name);
    }
  }
  const Json json{{"object", "capabilities"},
                  {"version", facts_.version},
                  {"engines", std::move(engines)},
                  {"languages", languages},
                  {"limits",
                   {{"timeout_seconds",
                     {{"default", facts_.timeout_seconds}, {"maximum", call.tenant->limits.max_timeout_seconds}}},
                    {"body_bytes", facts_.body_bytes},
                    {"max_running", facts_.max_running},
                    {"max_queued", facts_.max_queued},
                    {"retention_seconds", facts_.retention_seconds}}},
                  {"features",
                   {{"streaming", {"application/x-ndjson", "text/event-stream"}},
                    {"batch", true},
                    {"inputs", true},
                    {"idempotency", true},
                    {"sessions", false},
                    {"snapshots", false},
                    {"mcp", false},
                    {"tools", {"code_execution", "python_executor", "code_executor", "python_wasi_runner"}},
                    {"facades", facts_.facades}}}};
  call.respond(http::Response::json(dump(json)));
}

void StatusApi::status(const Call& call) {
  Json engines = Json::array();
  for (const auto& engine : backend_.engines()) {
    Json warm = Json::object();
    for (const auto& language : engine.languages) warm[language.name] = language.warm;
    engines.push_back({{"name", engine.name},
                       {"version", engine.version},
                       {"ready", engine.ready},
                       {"why_not", engine.ready ? Json(nullptr) : Json(engine.why_not)},
                       {"warm", std::move(warm)}});
  }
  const auto view = recent_.view(Recent::Clock::now());
  const auto& took = view.minute.seconds;
  Json totals = Json::object();
  for (std::size_t i = 0; i < view.totals.size(); ++i)
    totals[protocol::name_of(static_cast<Status>(i))] = view.totals[i];
  totals["refused"] = view.refused;
  Json failures = Json::array();
  for (const auto& failure : view.failures) failures.push_back(failure_json(failure, call.tenant->name));
  const auto counts = pool_.counts();
  const Json json{
      {"object", "status"},
      {"version", facts_.version},
      {"phase", phase_name()},
      {"uptime_seconds", view.uptime_seconds},
      {"engines", std::move(engines)},
      {"running", counts.running},
      {"waiting", counts.waiting},
      {"max_running", facts_.max_running},
      {"max_queued", facts_.max_queued},
      {"totals", std::move(totals)},
      {"runs_per_second", view.per_second},
      {"run_seconds", took ? Json{{"p50", took->p50}, {"p90", took->p90}, {"p99", took->p99}} : Json(nullptr)},
      {"failures", std::move(failures)}};
  call.respond(http::Response::json(dump(json)));
}

void StatusApi::openapi(const Call& call) { call.respond(http::Response::json(std::string(facts_.openapi))); }

}  // namespace hotcell::server
