#include "server/tools_api.h"

#include <array>
#include <cmath>

#include "protocol/json_reader.h"
#include "protocol/nearest.h"
#include "protocol/utf8.h"

namespace hotcell::server {

using namespace protocol;
using Json = nlohmann::json;

namespace {

constexpr std::array<std::string_view, 4> kTools{"code_execution", "python_executor", "code_executor",
                                                 "python_wasi_runner"};
constexpr std::size_t kLongestName = 512;
constexpr std::size_t kMostPackages = 512, kMostArgs = 4096, kLongestArg = 128 * 1024;
constexpr double kLongestRun = 86'400;

void read_code(ObjectReader& reader, Request& request) {
  request.code = reader.text("code");
  if (!request.code && !reader.has("code")) reader.complain("code", "must be given");
}

void read_language(ObjectReader& reader, Request& request, Complaints& complaints) {
  const auto language = reader.text("language");
  if (!language) return;
  if (const auto known = language_from_name(*language); known && *known != Language::wasm)
    request.language = *known;
  else
    complaints.add("unknown_language", reader.at("language"),
                   "the language '" + shortened(*language, 64) + "' is not known", "python, javascript or bash");
}

// What the caller knows about the call: kept with the result, of no meaning to us.
void read_context(ObjectReader& reader, Request& request) {
  constexpr std::size_t kMost = 16;
  Json* context = reader.find("context");
  if (!context) return;
  if (!context->is_object() || context->size() > kMost)
    return reader.complain("context", "must be an object with at most " + std::to_string(kMost) + " members");
  for (const auto& [name, value] : context->items())
    request.metadata.emplace(name, shortened(value.is_string() ? value.get<std::string>() : value.dump(), 4096));
}

// {base64} or a name among the operator's modules; never a path on this machine.
void read_module(ObjectReader& reader, const char* base64_name, const char* path_name, bool needed, Request& request) {
  auto bytes = reader.base64(base64_name);
  auto name = reader.text(path_name, kLongestName);
  if (reader.has(base64_name) && reader.has(path_name))
    return reader.complain(path_name, "cannot be given together with '" + std::string(base64_name) + "'");
  if (bytes) request.wasm.emplace().bytes = std::move(*bytes);
  if (name) request.wasm.emplace().name = std::move(*name);
  if (needed && !reader.has(base64_name) && !reader.has(path_name))
    reader.complain(base64_name, "must be given, or '" + std::string(path_name) + "'");
}

Request code_execution(ObjectReader& reader, Complaints& complaints) {
  Request request;
  request.checks = Checks::enforce;
  read_code(reader, request);
  read_language(reader, request, complaints);
  if (auto packages = reader.texts("explicit_dependencies", kMostPackages, kLongestName))
    request.dependencies = {DependencyMode::explicit_list, std::move(*packages)};
  if (const auto timeout = reader.number("timeout", 0, kLongestRun)) request.timeout_seconds = *timeout;
  read_context(reader, request);
  return request;
}

Request python_executor(ObjectReader& reader, Complaints&) {
  Request request;
  read_code(reader, request);
  request.session_id = reader.text("session_id", kLongestName);
  request.create_session = request.session_id.has_value();
  if (const auto timeout = reader.number("timeout_seconds", 1, 60, /*closed=*/true)) request.timeout_seconds = *timeout;
  request.stdin_bytes = reader.text("stdin");
  return request;
}

Request code_executor(ObjectReader& reader, Complaints&) {
  Request request;
  request.language = Language::wasm;
  request.engine = EngineWish::wasi;
  read_module(reader, "wasm_base64", "wasm_path", true, request);
  request.args = {"module.wasm"};
  request.stdin_bytes = reader.text("stdin");
  return request;
}

Request python_wasi_runner(ObjectReader& reader, Complaints&) {
  Request request;
  request.engine = EngineWish::wasi;
  read_code(reader, request);
  read_module(reader, "interpreter_wasm_base64", "interpreter_wasm_path", false, request);
  request.stdin_bytes = reader.text("stdin");
  request.args = reader.texts("argv", kMostArgs, kLongestArg).value_or(std::vector<std::string>());
  if (!request.wasm) return request;
  // An interpreter of the caller's own: a module that is given the program as a file.
  request.language = Language::wasm;
  InputFile program;
  program.path = "main.py";
  program.content = std::exchange(request.code, std::nullopt).value_or("");
  request.files.push_back(std::move(program));
  request.args.insert(request.args.begin(), {"python", "/workspace/main.py"});
  return request;
}

// What the seeds' tools give back, beside the whole result.
std::string with_tool_members(const std::string& body, const std::string& tool, const Result& result) {
  const auto& outcome = result.outcome;
  std::string output = to_text(outcome.out.bytes).text;
  if (output.empty())
    for (const auto& value : outcome.results)
      if (const auto text = value.data.find("text/plain"); value.main && text != value.data.end())
        output = text->second;
  std::string error;
  if (outcome.failure && outcome.status != Status::completed) {
    const auto& failure = *outcome.failure;
    error =
        failure.name.empty() || failure.kind != "exception" ? failure.message : failure.name + ": " + failure.message;
  } else if (outcome.status == Status::failed) {
    error = to_text(outcome.err.bytes).text;
    if (error.empty()) error = "the program ended with exit code " + std::to_string(outcome.exit_code.value_or(-1));
  }
  const nlohmann::ordered_json more{{"tool", tool},
                                    {"success", outcome.status == Status::completed},
                                    {"output", std::move(output)},
                                    {"error_text", std::move(error)}};
  // Both are objects: put together as text, the large one is not taken apart for it.
  return body.substr(0, body.size() - 1) + "," + dump(more).substr(1);
}

}  // namespace

std::expected<Request, Problem> request_from_tool(Json&& document, std::string& name) {
  Complaints complaints;
  ObjectReader reader(document, "", complaints);
  const auto tool = reader.text("tool", kLongestName), tool_name = reader.text("tool_name", kLongestName);
  if (tool && tool_name && *tool != *tool_name) reader.complain("tool_name", "is not the same as 'tool'");
  name = tool.value_or(tool_name.value_or(""));
  if (!reader.has("tool") && !reader.has("tool_name"))
    reader.complain("tool", "must be given",
                    "one of code_execution, python_executor, code_executor, python_wasi_runner");

  // The members stand under `parameters`, or beside the tool's name.
  Json* under = reader.find("parameters");
  if (under && !under->is_object()) reader.complain("parameters", "must be an object");
  if (under) reader.finish();
  if (!complaints.empty()) return std::unexpected(complaints.to_problem());
  std::string pointer = under ? "/parameters" : "";
  ObjectReader parameters(under ? *under : document, pointer, complaints);
  if (!under)
    for (const auto* known : {"tool", "tool_name", "parameters"}) (void)parameters.has(known);

  Request request;
  if (name == "code_execution")
    request = code_execution(parameters, complaints);
  else if (name == "python_executor")
    request = python_executor(parameters, complaints);
  else if (name == "code_executor")
    request = code_executor(parameters, complaints);
  else if (name == "python_wasi_runner")
    request = python_wasi_runner(parameters, complaints);
  else
    complaints.add("invalid_field", "/tool", "there is no tool '" + shortened(name, 64) + "'",
                   suggestion(name, kTools));
  if (complaints.empty()) parameters.finish();
  if (!complaints.empty()) return std::unexpected(complaints.to_problem());
  return request;
}

void ToolsApi::call(const Call& call) {
  auto document = parse_json(call.request().body);
  if (!document) return call.refuse(std::move(document.error()));
  std::string tool;
  auto request = request_from_tool(std::move(*document), tool);
  if (!request) return call.refuse(std::move(request.error()));
  execute_.run(call, std::move(*request), [tool](const Record&, const Record::Ending& ending, const Result* result) {
    return http::Response::json(with_tool_members(*ending.body, tool, *result));
  });
}

}  // namespace hotcell::server
