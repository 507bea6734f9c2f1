#include <utility>

#include "protocol/base64.h"
#include "protocol/result_json.h"
#include "protocol/result_names.h"
#include "protocol/timestamp.h"

namespace hotcell::protocol {

using Json = nlohmann::json;

namespace {

constexpr double kMostSeconds = 1e9;
constexpr std::size_t kMost = 1'000'000;

// Reads members that must be there: a server that leaves one out does not speak this schema.
class Needs {
 public:
  explicit Needs(ObjectReader& reader) : reader_(reader) {}

  std::string text(const char* name) { return value(name, reader_.text(name)); }
  bool boolean(const char* name) { return value(name, reader_.boolean(name)); }
  std::uint64_t integer(const char* name, std::uint64_t high = UINT64_MAX) {
    return value(name, reader_.integer(name, 0, high));
  }
  std::uint32_t small(const char* name) { return static_cast<std::uint32_t>(integer(name, UINT32_MAX)); }
  double seconds(const char* name) { return value(name, reader_.number(name, 0, kMostSeconds, /*closed=*/true)); }
  template <class Enum, std::size_t N>
  Enum choice(const char* name, const std::pair<std::string_view, Enum> (&words)[N]) {
    return value(name, reader_.choice(name, words));
  }
  std::chrono::system_clock::time_point time(const char* name) {
    const auto written = text(name);
    const auto time = from_timestamp(written);
    if (!time && !written.empty()) reader_.complain(name, "must be a time such as 2026-01-31T12:00:00.000Z");
    return time.value_or(std::chrono::system_clock::time_point{});
  }

 private:
  template <class T>
  T value(const char* name, std::optional<T>&& read) {
    if (!read && !reader_.has(name)) reader_.complain(name, "is missing");
    return std::move(read).value_or(T{});
  }

  ObjectReader& reader_;
};

// Calls `read` with each element of a list that must be there.
template <class Read>
void each(ObjectReader& reader, const char* name, Read read) {
  Json* list = reader.array(name, kMost);
  if (!list && !reader.has(name)) reader.complain(name, "is missing");
  for (std::size_t i = 0; list && i < list->size(); ++i) read((*list)[i], pointer_to(reader.at(name), i));
}

// Calls `read` with a reader for the object in a member that must be there.
template <class Read>
void nested(ObjectReader& reader, const char* name, Complaints& complaints, Read read) {
  Json* value = reader.find(name);
  if (!value) return reader.complain(name, "is missing");
  ObjectReader inner(*value, reader.at(name), complaints);
  read(inner);
}

std::map<std::string, std::string> read_texts(ObjectReader& reader, const char* name) {
  std::map<std::string, std::string> out;
  Json* object = reader.find(name);
  if (!object || !object->is_object()) {
    reader.complain(name, "must be an object of strings");
    return out;
  }
  for (auto& [key, value] : object->get_ref<Json::object_t&>()) {
    if (value.is_string())
      out.emplace(key, std::move(value.get_ref<std::string&>()));
    else
      reader.complain(name, "must be an object of strings");
  }
  return out;
}

void read_limits(ObjectReader& reader, Limits& limits) {
  limits.memory_bytes = reader.integer("memory_bytes", 0, UINT64_MAX);
  limits.cpu_seconds = reader.number("cpu_seconds", 0, kMostSeconds, true);
  limits.cpus = reader.number("cpus", 0, kMostSeconds, true);
  limits.pids = reader.integer("pids", 0, UINT64_MAX);
  limits.disk_bytes = reader.integer("disk_bytes", 0, UINT64_MAX);
  limits.output_bytes = reader.integer("output_bytes", 0, UINT64_MAX);
  limits.result_bytes = reader.integer("result_bytes", 0, UINT64_MAX);
  limits.files_bytes = reader.integer("files_bytes", 0, UINT64_MAX);
  limits.fuel = reader.integer("fuel", 0, UINT64_MAX);
}

void read_usage(ObjectReader& reader, Usage& usage) {
  Needs need(reader);
  usage.queue_seconds = need.seconds("queue_seconds");
  usage.setup_seconds = need.seconds("setup_seconds");
  usage.install_seconds = need.seconds("install_seconds");
  usage.wall_seconds = need.seconds("wall_seconds");
  usage.cpu_seconds = need.seconds("cpu_seconds");
  usage.memory_peak_bytes = need.integer("memory_peak_bytes");
  usage.fuel = reader.integer("fuel", 0, UINT64_MAX);
}

void read_streams(ObjectReader& reader, bool streams, Outcome& outcome, Complaints& complaints) {
  Needs need(reader);
  if (streams) {
    outcome.out.bytes = need.text("stdout");
    outcome.err.bytes = need.text("stderr");
  }
  outcome.out.total = need.integer("stdout_bytes");
  outcome.err.total = need.integer("stderr_bytes");
  nested(reader, "truncated", complaints, [&](ObjectReader& truncated) {
    outcome.out.truncated = Needs(truncated).boolean("stdout");
    outcome.err.truncated = Needs(truncated).boolean("stderr");
  });
  nested(reader, "lossy", complaints, [&](ObjectReader& lossy) {
    Needs(lossy).boolean("stdout");
    Needs(lossy).boolean("stderr");
  });
}

}  // namespace

Failure read_failure(ObjectReader& reader) {
  Needs need(reader);
  Failure failure;
  failure.code = need.text("code");
  failure.kind = need.text("kind");
  failure.name = need.text("name");
  failure.message = need.text("message");
  failure.traceback = need.text("traceback");
  if (const auto line = reader.integer("line", 0, UINT32_MAX)) failure.line = static_cast<std::uint32_t>(*line);
  failure.limit = need.text("limit");
  failure.hint = need.text("hint");
  failure.retryable = need.boolean("retryable");
  return failure;
}

Value read_value(ObjectReader& reader) {
  Value value;
  value.main = Needs(reader).boolean("main");
  value.data = read_texts(reader, "data");
  return value;
}

OutputFile read_output_file(Json& json, std::string pointer, Complaints& complaints) {
  ObjectReader reader(json, std::move(pointer), complaints);
  Needs need(reader);
  OutputFile file;
  file.path = need.text("path");
  file.change = need.choice("change", kChanges);
  file.size = need.integer("size_bytes");
  auto content = reader.base64("content_base64");
  file.content_left_out = !content && file.change != Change::deleted;
  file.content = std::move(content).value_or("");
  file.sha256 = reader.text("sha256").value_or("");
  file.url = reader.text("url").value_or("");
  return file;
}

Result read_result(Json& json, std::string pointer, bool streams, Complaints& complaints) {
  ObjectReader reader(json, std::move(pointer), complaints);
  Needs need(reader);
  Result result;
  Outcome& outcome = result.outcome;
  if (need.text("object") != "execution") reader.complain("object", "must be 'execution'");
  result.id = need.text("id");
  result.session_id = reader.text("session_id");
  outcome.status = need.choice("status", kStatuses);
  if (const auto code = reader.signed_integer("exit_code")) {
    if (*code >= INT32_MIN && *code <= INT32_MAX)
      outcome.exit_code = static_cast<int>(*code);
    else
      reader.complain("exit_code", "must be an integer of 32 bits");
  }
  outcome.signal = reader.text("signal");
  read_streams(reader, streams, outcome, complaints);
  each(reader, "results", [&](Json& value, std::string at) {
    ObjectReader one(value, std::move(at), complaints);
    outcome.results.push_back(read_value(one));
  });
  if (Json* error = reader.find("error")) {
    ObjectReader failure(*error, reader.at("error"), complaints);
    outcome.failure = read_failure(failure);
  }
  each(reader, "files", [&](Json& value, std::string at) {
    outcome.files.push_back(read_output_file(value, std::move(at), complaints));
  });
  nested(reader, "dependencies", complaints, [&](ObjectReader& dependencies) {
    each(dependencies, "installed", [&](Json& value, std::string at) {
      ObjectReader package(value, std::move(at), complaints);
      result.installed.emplace_back(Needs(package).text("name"), Needs(package).text("version"));
    });
    result.dependency_cache = Needs(dependencies).text("cache");
  });
  nested(reader, "checks", complaints, [&](ObjectReader& checks) {
    result.verdict = Needs(checks).text("verdict");
    each(checks, "findings", [&](Json& value, std::string at) {
      ObjectReader one(value, std::move(at), complaints);
      Needs finding(one);
      auto& out = result.findings.emplace_back();
      out.rule = finding.text("rule");
      out.severity = finding.text("severity");
      out.line = finding.small("line");
      out.message = finding.text("message");
      if (const auto column = one.integer("column", 0, UINT32_MAX)) out.column = static_cast<std::uint32_t>(*column);
      out.suggestion = one.text("suggestion").value_or("");
    });
  });
  nested(reader, "engine", complaints, [&](ObjectReader& engine) {
    Needs member(engine);
    outcome.engine.name = member.text("name");
    outcome.engine.version = member.text("version");
    outcome.engine.image = member.text("image");
    outcome.engine.start = member.text("start");
    outcome.engine.chosen_because = member.text("chosen_because");
  });
  nested(reader, "usage", complaints, [&](ObjectReader& usage) { read_usage(usage, outcome.usage); });
  nested(reader, "limits", complaints, [&](ObjectReader& limits) { read_limits(limits, outcome.limits); });
  result.execution_count = need.integer("execution_count");
  result.created_at = need.time("created_at");
  result.finished_at = need.time("finished_at");
  result.metadata = read_texts(reader, "metadata");
  return result;
}

Expected<Result> result_from_json(std::string_view text, const JsonCaps& caps) {
  auto document = parse_json(text, caps);
  if (!document) return std::unexpected(error_from(document.error()));
  Complaints complaints;
  Result result = read_result(*document, "", /*streams=*/true, complaints);
  if (!complaints.empty()) return std::unexpected(error_from(complaints.to_problem()));
  return result;
}

}  // namespace hotcell::protocol
