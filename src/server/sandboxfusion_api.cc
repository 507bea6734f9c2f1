#include "server/sandboxfusion_api.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <nlohmann/json.hpp>

#include "protocol/base64.h"
#include "protocol/json_reader.h"
#include "protocol/signals.h"
#include "protocol/utf8.h"
#include "protocol/workspace_path.h"
#include "server/answers.h"

namespace hotcell::server {

using namespace protocol;
using Json = nlohmann::json;
using Ordered = nlohmann::ordered_json;

namespace {

constexpr double kLongest = 86'400;
// Their clients wait for both timeouts and ten seconds more.
constexpr double kPatience = 10, kMargin = 1;

constexpr std::array<std::string_view, 29> kTheirLanguages{
    "python", "cpp",   "nodejs",        "go",   "go_test", "java",       "php",  "csharp", "bash",  "typescript",
    "sql",    "rust",  "cuda",          "lua",  "R",       "perl",       "D_ut", "ruby",   "scala", "julia",
    "pytest", "junit", "kotlin_script", "jest", "verilog", "python_gpu", "lean", "swift",  "racket"};

// Pydantic's complaints, as their clients print them.
class Details {
 public:
  void add(std::string_view field, std::string message, std::string_view type) {
    list_.push_back({{"type", type}, {"loc", {"body", field}}, {"msg", std::move(message)}});
  }
  bool empty() const { return list_.empty(); }
  std::string body() const { return dump({{"detail", list_}}); }

 private:
  Ordered list_ = Ordered::array();
};

std::optional<double> seconds(const Json& body, const char* name, Details& details) {
  const auto found = body.find(name);
  if (found == body.end() || found->is_null()) return std::nullopt;
  if (found->is_number()) return found->get<double>();
  details.add(name, "Input should be a valid number", "float_type");
  return std::nullopt;
}

// As their decoder reads it: many encoders break lines.
std::optional<std::string> bytes_from(std::string base64) {
  std::erase_if(base64, [](unsigned char c) { return std::isspace(c); });
  return base64_decode(base64);
}

// The pattern that only this path fits.
std::string pattern_of(std::string_view path) {
  std::string out;
  for (const char c : path) out += c == '*' || c == '?' || c == '[' ? std::string{'[', c, ']'} : std::string(1, c);
  return out;
}

void read_files(const Json& body, FusionRequest& out, Details& details) {
  auto& request = out.request;
  const auto files = body.find("files");
  if (files != body.end() && files->is_object()) {
    for (const auto& [path, content] : files->items()) {
      if (content.is_null()) continue;
      auto bytes = content.is_string() ? bytes_from(content.get<std::string>()) : std::nullopt;
      const auto inside = workspace_path(path);
      if (!bytes) details.add("files", "the content of a file must be base64", "value_error");
      if (!inside) details.add("files", inside.error(), "value_error");
      if (!bytes || !inside) continue;
      InputFile file;
      file.path = *inside;
      file.content = std::move(*bytes);
      request.files.push_back(std::move(file));
    }
  } else if (files != body.end() && !files->is_null()) {
    details.add("files", "Input should be a valid dictionary", "dict_type");
  }
  request.collect.changed = false;
  request.collect.inline_bytes = UINT64_MAX;
  request.collect.max_files = 1000;
  const auto fetch = body.find("fetch_files");
  if (fetch == body.end() || fetch->is_null()) return;
  if (!fetch->is_array()) return details.add("fetch_files", "Input should be a valid list", "list_type");
  for (const auto& path : *fetch) {
    const auto inside = path.is_string() ? workspace_path(path.get_ref<const std::string&>())
                                         : std::unexpected(std::string("a path must be a string"));
    if (!inside) {
      details.add("fetch_files", inside.error(), "value_error");
      continue;
    }
    request.collect.paths.push_back(pattern_of(*inside));
    out.fetch.emplace_back(path.get<std::string>(), *inside);
  }
}

Ordered run_result(std::string_view status, const Result* result, Ordered return_code, std::string err) {
  Ordered json{{"status", status}, {"execution_time", nullptr}, {"return_code", std::move(return_code)}};
  // Never null: their clients add the two up.
  json["stdout"] = result ? to_text(result->outcome.out.bytes).text : "";
  json["stderr"] = std::move(err);
  if (result) json["execution_time"] = result->outcome.usage.wall_seconds;
  return json;
}

// Interpreted languages have no compile_result: a syntax error is a failed run.
std::string answer(std::string_view status, const std::string& message, Ordered run, Ordered files) {
  return dump({{"status", status},
               {"message", message},
               {"compile_result", nullptr},
               {"run_result", std::move(run)},
               {"executor_pod_name", nullptr},
               {"files", std::move(files)}});
}

std::string reason_of(const Result& result) {
  const auto& failure = result.outcome.failure;
  if (!failure) return "";
  return failure->hint.empty() ? failure->message : failure->message + " (" + failure->hint + ")";
}

}  // namespace

std::expected<FusionRequest, std::string> fusion_request(std::string_view text) {
  Details details;
  auto body = parse_json(text);
  if (!body || !body->is_object()) {
    details.add("", body ? "Input should be a valid dictionary" : body.error().detail, "json_invalid");
    return std::unexpected(details.body());
  }
  FusionRequest out;
  auto& request = out.request;
  request.checks = Checks::off;  // a reward must not depend on a linter
  const auto code = body->find("code");
  if (code == body->end())
    details.add("code", "Field required", "missing");
  else if (!code->is_string())
    details.add("code", "Input should be a valid string", "string_type");
  else
    request.code = std::move(code->get_ref<std::string&>());

  const auto language = body->find("language");
  std::string name = "python";
  if (language != body->end() && !language->is_null())
    name = language->is_string() ? language->get<std::string>() : "?";
  if (name == "python" || name == "pytest" || name == "python_gpu")
    request.language = Language::python;
  else if (name == "nodejs")
    request.language = Language::javascript;
  else if (name == "bash")
    request.language = Language::bash;
  if (std::ranges::find(kTheirLanguages, name) == kTheirLanguages.end())
    details.add("language", "Input should be one of SandboxFusion's languages", "literal_error");
  else if (name != "python" && name != "nodejs" && name != "bash")
    out.unsupported = "hotcell does not run " + name + "; it runs python, nodejs and bash";

  const double compile = seconds(*body, "compile_timeout", details).value_or(10);
  const double run = seconds(*body, "run_timeout", details).value_or(10);
  request.timeout_seconds = std::clamp(run, 0.001, kLongest);
  out.begin_within = std::clamp(compile, 0.0, kLongest) + kPatience - kMargin;
  if (const auto memory = seconds(*body, "memory_limit_MB", details); memory && *memory > 0)
    request.limits.memory_bytes = static_cast<std::uint64_t>(std::min(*memory, 1e6) * 1048576);
  const auto input = body->find("stdin");
  if (input != body->end() && input->is_string()) request.stdin_bytes = std::move(input->get_ref<std::string&>());
  if (input != body->end() && !input->is_string() && !input->is_null())
    details.add("stdin", "Input should be a valid string", "string_type");
  read_files(*body, out, details);
  if (!details.empty()) return std::unexpected(details.body());
  return out;
}

std::string fusion_answer(const Result& result, const decltype(FusionRequest::fetch)& fetch) {
  const auto& outcome = result.outcome;
  auto err = to_text(outcome.err.bytes).text;
  Ordered files = Ordered::object();
  for (const auto& [name, path] : fetch) {
    const auto file = std::ranges::find(outcome.files, path, &OutputFile::path);
    if (file != outcome.files.end() && file->change != Change::deleted && !file->content_left_out)
      files[name] = base64_encode(file->content);
  }
  switch (outcome.status) {
    case Status::completed:
      return answer("Success", "", run_result("Finished", &result, 0, std::move(err)), std::move(files));
    case Status::failed: {
      int code = outcome.exit_code.value_or(1);
      if (outcome.signal) code = -signal_number(*outcome.signal).value_or(1);
      return answer("Failed", "", run_result("Finished", &result, code, std::move(err)), std::move(files));
    }
    case Status::timeout:
      return answer("Failed", "", run_result("TimeLimitExceeded", &result, nullptr, std::move(err)), std::move(files));
    case Status::limit_exceeded:
      if (err.empty()) err = reason_of(result);
      return answer("Failed", "", run_result("Finished", &result, -9, std::move(err)), std::move(files));
    case Status::rejected:
      return fusion_refusal(reason_of(result));
    case Status::cancelled:
    case Status::sandbox_error:
      break;
  }
  return answer("SandboxError", reason_of(result), run_result("Error", &result, nullptr, std::move(err)),
                std::move(files));
}

std::string fusion_refusal(const std::string& reason) {
  return answer("Failed", "", run_result("Finished", nullptr, 1, reason), Ordered::object());
}

std::string fusion_sandbox_error(const std::string& reason) {
  return answer("SandboxError", reason, run_result("Error", nullptr, nullptr, ""), Ordered::object());
}

void SandboxFusionApi::ping(const Call& call) { call.respond(http::Response::json("\"pong\"")); }

void SandboxFusionApi::run_code(const Call& call) {
  auto wanted = fusion_request(call.request().body);
  if (!wanted) return call.respond(http::Response::json(std::move(wanted.error()), 422));
  if (!wanted->unsupported.empty()) return call.respond(http::Response::json(fusion_refusal(wanted->unsupported)));
  call.request().body = {};
  Launch launch;
  launch.request = std::move(wanted->request);
  launch.request.timeout_seconds = std::min(launch.request.timeout_seconds, call.tenant->limits.max_timeout_seconds);
  launch.tenant = call.tenant;
  launch.asker = asker_of(*call.exchange);
  launch.patient = true;
  launch.begin_within = wanted->begin_within;
  const auto problem_answer = [exchange = call.exchange](const Problem& problem) {
    // 504 is tried again; a request that no engine here can honour is answered as a program that fails.
    if (problem.http_status == 503 || problem.http_status == 429 || problem.http_status == 504)
      return problem_response(make_problem("deadline_in_queue", problem.detail, problem.hint), exchange->request_id);
    if (problem.http_status == 422) return http::Response::json(fusion_refusal(problem.detail));
    return http::Response::json(fusion_sandbox_error(problem.detail));
  };
  launch.ended = [exchange = call.exchange, problem_answer, fetch = std::move(wanted->fetch)](
                     const Record&, const Record::Ending& ending, const Result* result) {
    if (result)
      exchange->respond(http::Response::json(fusion_answer(*result, fetch)));
    else
      exchange->respond(problem_answer(*ending.problem));
  };
  auto record = launcher_.start(std::move(launch));
  if (!record) return call.respond(problem_answer(record.error().problem));
  cancel_when_gone(call, *record);
}

}  // namespace hotcell::server
