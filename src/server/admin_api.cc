#include "server/admin_api.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "protocol/json_reader.h"
#include "protocol/timestamp.h"
#include "server/process_metrics.h"

namespace hotcell::server {

using namespace protocol;
using Json = nlohmann::ordered_json;

namespace {

constexpr std::size_t kMostExecutions = 1000, kMostTenants = 1000, kMostLines = 2000;

double rounded(double value) { return std::round(value * 1e6) / 1e6; }

// Of the last ten seconds that are over: a view should neither tremble nor lag.
double rate_of(const Recent::View& lately) {
  constexpr std::ptrdiff_t kLately = 10;
  return static_cast<double>(std::accumulate(lately.per_second.end() - kLately, lately.per_second.end(), 0u)) / kLately;
}

// A number of the query; nullopt: absent. Anything else than a number is said.
std::optional<std::uint64_t> number_of(const Call& call, const char* name, bool& wrong) {
  const auto text = call.request().parameter(name);
  if (!text) return std::nullopt;
  std::uint64_t out = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), out);
  wrong |= error != std::errc{} || end != text->data() + text->size();
  return out;
}

}  // namespace

void AdminApi::status(const Call& call) {
  const auto now = std::chrono::system_clock::now();
  const auto lately = recent_.view(Recent::Clock::now());
  const auto runs = std::accumulate(lately.totals.begin(), lately.totals.end(), std::uint64_t{0});
  const auto counts = pool_.counts();
  const auto kept = records_.counts();
  const auto& facts = status_.facts();

  Json engines = Json::array();
  for (const auto& engine : backend_.engines()) {
    Json languages = Json::array();
    for (const auto& language : engine.languages)
      languages.push_back({{"name", language.name}, {"warm", language.warm}});
    Json cells = Json::object();
    for (const auto& [name, number] : engine.cells) cells[name] = number;
    const auto found = std::ranges::find(lately.engines, engine.name, &std::pair<std::string, Recent::Minute>::first);
    const auto minute = found == lately.engines.end() ? Recent::Minute{} : found->second;
    const auto took = minute.seconds.value_or(Recent::Quantiles{});
    engines.push_back({{"name", engine.name},
                       {"version", engine.version},
                       {"ready", engine.ready},
                       {"why_not", engine.ready ? Json(nullptr) : Json(engine.why_not)},
                       {"cells", std::move(cells)},
                       {"languages", std::move(languages)},
                       {"last_minute",
                        {{"runs", minute.runs},
                         {"p50_seconds", rounded(took.p50)},
                         {"p95_seconds", rounded(took.p95)},
                         {"p99_seconds", rounded(took.p99)},
                         {"longest_seconds", rounded(took.longest)}}}});
  }
  Json failures = Json::array();
  for (const auto& one : lately.failures)
    failures.push_back({{"at", to_timestamp(one.at)},
                        {"id", one.id},
                        {"tenant", one.tenant},
                        {"language", one.language},
                        {"engine", one.engine},
                        {"status", one.status},
                        {"code", one.code},
                        // What the program itself has to say is none of the operator's business.
                        {"message", one.name.empty() ? one.message : one.name},
                        {"seconds", rounded(one.seconds)}});
  auto lines = usage_.lines();
  std::ranges::sort(lines, std::greater(), &UsageBook::Line::last_use);
  if (lines.size() > kMostTenants) lines.resize(kMostTenants);
  Json tenants = Json::array();
  for (const auto& line : lines)
    tenants.push_back({{"name", line.name},
                       {"runs", line.runs},
                       {"refused", line.refused},
                       {"cpu_seconds", rounded(line.cpu_seconds)},
                       {"wall_seconds", rounded(line.wall_seconds)},
                       {"last_use", line.last_use.empty() ? Json(nullptr) : Json(line.last_use)}});
  const Json json{
      {"object", "service"},
      {"version", facts.version},
      {"pid", ::getpid()},
      {"phase", status_.phase_name()},
      {"time", to_timestamp(now)},
      {"started_at", to_timestamp(started_)},
      {"uptime_seconds", rounded(lately.uptime_seconds)},
      {"engines", std::move(engines)},
      {"queue",
       {{"waiting", counts.waiting},
        {"running", counts.running},
        {"max_waiting", facts.max_queued},
        {"max_running", facts.max_running}}},
      {"programs",
       {{"runs", runs},
        {"failed", runs - lately.totals[static_cast<std::size_t>(Status::completed)]},
        {"refused", lately.refused},
        {"runs_per_second", rounded(rate_of(lately))},
        {"last_minute",
         {{"runs", lately.minute.runs}, {"failed", lately.minute.failed}, {"refused", lately.minute.refused}}}}},
      {"connections", connections ? connections() : 0},
      {"memory",
       {{"resident_bytes", static_cast<std::uint64_t>(resident_bytes())},
        {"kept_results", kept.kept},
        {"kept_bytes", kept.bytes}}},
      {"failures", std::move(failures)},
      {"tenants", std::move(tenants)}};
  call.respond(http::Response::json(dump(json)));
}

void AdminApi::executions(const Call& call) {
  const auto now = std::chrono::system_clock::now();
  Json list = Json::array();
  const auto all = records_.unfinished(kMostExecutions);
  for (const auto& record : all)
    list.push_back({{"id", record->id()},
                    {"tenant", record->tenant()},
                    {"language", record->language()},
                    {"state", record->state() == Record::State::queued ? "queued" : "running"},
                    {"created_at", to_timestamp(record->created_at())},
                    {"age_seconds", rounded(std::chrono::duration<double>(now - record->created_at()).count())}});
  call.respond(http::Response::json(
      dump({{"object", "running_executions"}, {"items", std::move(list)}, {"more", all.size() >= kMostExecutions}})));
}

void AdminApi::logs(const Call& call) {
  bool wrong = false;
  const auto after = number_of(call, "after", wrong), most = number_of(call, "limit", wrong);
  if (wrong)
    return call.refuse(make_problem("invalid_field", "'after' and 'limit' must be numbers", "?after=0&limit=100"));
  const auto recent = log_.recent(after.value_or(0), std::min<std::uint64_t>(most.value_or(100), kMostLines));
  Json lines = Json::array();
  for (const auto& line : recent.lines) lines.push_back(Json::parse(line, nullptr, false));
  call.respond(http::Response::json(dump({{"object", "logs"}, {"lines", std::move(lines)}, {"next", recent.next}})));
}

void AdminApi::drain(const Call& call) {
  if (!on_drain) return call.refuse(make_problem("not_found", "this service cannot be drained by a request"));
  call.respond(http::Response::json(
      dump({{"draining", true}, {"pid", ::getpid()}, {"drain_seconds", drain_seconds ? drain_seconds() : 0.0}}), 202));
  on_drain();
}

}  // namespace hotcell::server
