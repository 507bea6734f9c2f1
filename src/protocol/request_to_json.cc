#include <cstdio>
#include <string>

#include "protocol/base64.h"
#include "protocol/request_json.h"
#include "protocol/request_names.h"
#include "protocol/utf8.h"

namespace hotcell::protocol {

using Json = nlohmann::ordered_json;

namespace {

template <class T>
void put(Json& json, const char* name, const std::optional<T>& value) {
  if (value) json[name] = *value;
}

Json files_json(const std::vector<InputFile>& files) {
  Json out = Json::array();
  for (const auto& file : files) {
    Json& one = out.emplace_back(Json{{"path", file.path}});
    if (file.sha256)
      one["sha256"] = *file.sha256;
    else if (is_valid_utf8(file.content))
      one["content"] = file.content;
    else
      one["content_base64"] = base64_encode(file.content);
    if (file.mode) {
      char octal[16];
      std::snprintf(octal, sizeof octal, "%04o", *file.mode & 07777u);
      one["mode"] = octal;
    }
  }
  return out;
}

Json limits_json(const Limits& limits) {
  Json out = Json::object();
  put(out, "memory_bytes", limits.memory_bytes);
  put(out, "cpu_seconds", limits.cpu_seconds);
  put(out, "cpus", limits.cpus);
  put(out, "pids", limits.pids);
  put(out, "disk_bytes", limits.disk_bytes);
  put(out, "output_bytes", limits.output_bytes);
  put(out, "result_bytes", limits.result_bytes);
  put(out, "files_bytes", limits.files_bytes);
  put(out, "fuel", limits.fuel);
  return out;
}

}  // namespace

Json to_json(const Request& request) {
  const Request usual;
  Json json = {{"language", name_of(request.language)}};
  put(json, "code", request.code);
  put(json, "argv", request.argv);
  if (request.wasm) {
    Json& wasm = json["wasm"] = Json::object();
    put(wasm, "blob", request.wasm->blob);
    put(wasm, "name", request.wasm->name);
    if (wasm.empty()) wasm["base64"] = base64_encode(request.wasm->bytes);
  }
  if (request.mode != usual.mode) json["mode"] = word_for(request.mode, kModes);
  put(json, "session_id", request.session_id);
  if (request.create_session) json["if_no_session"] = word_for(true, kIfNoSession);
  if (request.fail_when_busy) json["if_busy"] = word_for(true, kIfBusy);
  if (request.engine != usual.engine) json["engine"] = word_for(request.engine, kEngines);
  if (request.stdin_bytes) {
    if (is_valid_utf8(*request.stdin_bytes))
      json["stdin"] = *request.stdin_bytes;
    else
      json["stdin_base64"] = base64_encode(*request.stdin_bytes);
  }
  if (!request.args.empty()) json["args"] = request.args;
  if (!request.env.empty()) {
    Json& env = json["env"] = Json::object();
    for (const auto& [name, value] : request.env) env[name] = value;
  }
  put(json, "cwd", request.cwd);
  json["timeout_seconds"] = request.timeout_seconds;
  put(json, "deadline_seconds", request.deadline_seconds);
  if (Json limits = limits_json(request.limits); !limits.empty()) json["limits"] = std::move(limits);
  if (request.network.mode != usual.network.mode) {
    json["network"] = {{"mode", word_for(request.network.mode, kNetworkModes)}};
    if (!request.network.allow.empty()) json["network"]["allow"] = request.network.allow;
  }
  if (request.dependencies.mode == DependencyMode::explicit_list)
    json["dependencies"] = request.dependencies.packages;
  else if (request.dependencies.mode != usual.dependencies.mode)
    json["dependencies"] = {{"mode", word_for(request.dependencies.mode, kDependencyModes)}};
  put(json, "image", request.image);
  for (const auto& input : request.inputs) {
    Json one = Json::object();
    put(one, "stdin", input.stdin_bytes);
    put(one, "args", input.args);
    put(one, "expected_stdout", input.expected_stdout);
    json["inputs"].push_back(std::move(one));
  }
  if (!request.files.empty()) json["files"] = files_json(request.files);
  const auto& collect = request.collect;
  if (!collect.paths.empty() || collect.changed != usual.collect.changed ||
      collect.inline_bytes != usual.collect.inline_bytes || collect.max_files != usual.collect.max_files)
    json["collect"] = {{"paths", collect.paths},
                       {"changed", collect.changed},
                       {"inline_bytes", collect.inline_bytes},
                       {"max_files", collect.max_files}};
  if (request.checks != usual.checks) json["checks"] = word_for(request.checks, kChecks);
  if (request.deterministic) {
    Json& deterministic = json["deterministic"] = Json::object();
    put(deterministic, "seed", request.deterministic->seed);
    put(deterministic, "time", request.deterministic->time);
  }
  if (!request.include.empty()) json["include"] = request.include;
  if (request.detach) json["detach"] = true;
  if (!request.metadata.empty()) json["metadata"] = request.metadata;
  return json;
}

}  // namespace hotcell::protocol
