#include "protocol/result_json.h"

#include <cmath>

#include "base/hash.h"
#include "protocol/base64.h"
#include "protocol/mime_type.h"
#include "protocol/percent.h"
#include "protocol/result_names.h"
#include "protocol/timestamp.h"
#include "protocol/utf8.h"

namespace hotcell::protocol {

using Json = nlohmann::ordered_json;

namespace {

template <class T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

// Microseconds are what is measured; 0.30000000000000004 is noise. JSON knows no infinity.
double seconds(double value) { return std::isfinite(value) ? std::round(value * 1e6) / 1e6 : 0.0; }

Json limits_json(const Limits& limits) {
  return {
      {"memory_bytes", or_null(limits.memory_bytes)},
      {"cpu_seconds", or_null(limits.cpu_seconds)},
      {"cpus", or_null(limits.cpus)},
      {"pids", or_null(limits.pids)},
      {"disk_bytes", or_null(limits.disk_bytes)},
      {"output_bytes", or_null(limits.output_bytes)},
      {"result_bytes", or_null(limits.result_bytes)},
      {"files_bytes", or_null(limits.files_bytes)},
      {"fuel", or_null(limits.fuel)},
  };
}

Json usage_json(const Usage& usage) {
  Json out = {
      {"queue_seconds", seconds(usage.queue_seconds)},     {"setup_seconds", seconds(usage.setup_seconds)},
      {"install_seconds", seconds(usage.install_seconds)}, {"wall_seconds", seconds(usage.wall_seconds)},
      {"cpu_seconds", seconds(usage.cpu_seconds)},         {"memory_peak_bytes", usage.memory_peak_bytes},
  };
  if (usage.fuel) out["fuel"] = *usage.fuel;  // counted only where it was asked for
  return out;
}

Json checks_json(const Result& result) {
  Json findings = Json::array();
  for (const auto& finding : result.findings)
    findings.push_back(Json{{"rule", finding.rule},
                            {"severity", finding.severity},
                            {"line", finding.line},
                            {"message", finding.message},
                            {"column", finding.column},
                            {"suggestion", finding.suggestion}});
  return {{"verdict", result.verdict}, {"findings", std::move(findings)}};
}

Json dependencies_json(const Result& result) {
  Json installed = Json::array();
  for (const auto& [name, version] : result.installed) installed.push_back(Json{{"name", name}, {"version", version}});
  return {{"installed", std::move(installed)}, {"cache", result.dependency_cache}};
}

}  // namespace

Json to_json(const Failure& failure) {
  return {
      {"code", failure.code},       {"kind", failure.kind},           {"name", failure.name},
      {"message", failure.message}, {"traceback", failure.traceback}, {"line", or_null(failure.line)},
      {"limit", failure.limit},     {"hint", failure.hint},           {"retryable", failure.retryable},
  };
}

Json to_json(const Value& value) {
  Json data = Json::object();
  for (const auto& [mime_type, text] : value.data) data[mime_type] = text;
  return {{"main", value.main}, {"data", std::move(data)}};
}

Json to_json(const OutputFile& file, std::string_view url) {
  const bool has_content = file.change != Change::deleted && !file.content_left_out;
  const std::string_view where = url.empty() ? std::string_view(file.url) : url;
  return {
      {"path", file.path},
      {"change", word_for(file.change, kChanges)},
      {"size_bytes", file.size},
      {"sha256", !file.sha256.empty() ? Json(file.sha256) : has_content ? Json(hex(sha256(file.content))) : Json(nullptr)},
      {"mime_type", mime_type_of(file.path)},
      {"content_base64", has_content ? Json(base64_encode(file.content)) : Json(nullptr)},
      {"url", where.empty() || file.change == Change::deleted ? Json(nullptr) : Json(where)},
  };
}

Json to_json(const Result& result, const ResultJsonOptions& options) {
  const Outcome& outcome = result.outcome;
  const bool ended_itself = outcome.status == Status::completed || outcome.status == Status::failed;
  Text out = to_text(outcome.out.bytes);
  Text err = to_text(outcome.err.bytes);

  Json json = {
      {"object", "execution"},
      {"id", result.id},
      {"session_id", or_null(result.session_id)},
      {"status", name_of(outcome.status)},
      {"exit_code", ended_itself ? or_null(outcome.exit_code) : Json(nullptr)},
      {"signal", or_null(outcome.signal)},
  };
  if (options.streams) {
    json["stdout"] = std::move(out.text);
    json["stderr"] = std::move(err.text);
  }
  json["stdout_bytes"] = outcome.out.total;
  json["stderr_bytes"] = outcome.err.total;
  json["truncated"] = {{"stdout", outcome.out.truncated}, {"stderr", outcome.err.truncated}};
  json["lossy"] = {{"stdout", out.lossy}, {"stderr", err.lossy}};
  auto& results = json["results"] = Json::array();
  for (const auto& value : outcome.results) results.push_back(to_json(value));
  const bool failed = outcome.failure && outcome.status != Status::completed;
  json["error"] = failed ? to_json(*outcome.failure) : Json(nullptr);
  auto& files = json["files"] = Json::array();
  for (const auto& file : outcome.files) {
    std::string url;
    if (options.urls) url = "/v1/executions/" + result.id + "/files/" + percent_encoded_path(file.path);
    files.push_back(to_json(file, url));
  }
  json["dependencies"] = dependencies_json(result);
  json["checks"] = checks_json(result);
  json["engine"] = {{"name", outcome.engine.name},
                    {"version", outcome.engine.version},
                    {"image", outcome.engine.image},
                    {"start", outcome.engine.start},
                    {"chosen_because", outcome.engine.chosen_because}};
  json["usage"] = usage_json(outcome.usage);
  json["limits"] = limits_json(outcome.limits);
  json["execution_count"] = result.execution_count;
  json["created_at"] = to_timestamp(result.created_at);
  json["finished_at"] = to_timestamp(result.finished_at);
  auto& metadata = json["metadata"] = Json::object();
  for (const auto& [name, value] : result.metadata) metadata[name] = value;
  return json;
}

}  // namespace hotcell::protocol
