#include "protocol/problem.h"

#include <array>

namespace hotcell::protocol {

namespace {

struct Kind {
  std::string_view code;
  int http_status;
  std::string_view title;
  bool retryable = false;  // the very same request may succeed later
};

constexpr std::array<Kind, 37> kKinds{{
    {"malformed", 400, "The request is not valid JSON"},
    {"unauthenticated", 401, "Credentials are missing or wrong"},
    {"forbidden", 403, "Not allowed"},
    {"origin_forbidden", 403, "This origin is not allowed"},
    {"not_found", 404, "There is nothing here"},
    {"session_not_found", 404, "There is no such session"},
    {"execution_not_found", 404, "There is no such execution"},
    {"file_not_found", 404, "There is no such file"},
    {"method_not_allowed", 405, "This method is not allowed here"},
    {"request_timeout", 408, "The request took too long to come", true},
    {"session_busy", 409, "The session is busy", true},
    {"idempotency_in_progress", 409, "The first request with this key is still running", true},
    {"session_exists", 409, "There is a session of this name already"},
    {"session_expired", 410, "The session has expired"},
    {"etag_mismatch", 412, "The file has changed"},
    {"body_too_large", 413, "The request is too large"},
    {"file_too_large", 413, "The file is too large"},
    {"unsupported_media_type", 415, "The body must be JSON"},
    {"range_not_satisfiable", 416, "The file is shorter than that"},
    {"invalid_field", 422, "A field of the request is not valid"},
    {"invalid_requirement", 422, "A dependency cannot be read"},
    {"unsupported_by_engine", 422, "The engine cannot honour a field of the request"},
    {"limit_above_maximum", 422, "A limit is above the allowed maximum"},
    {"unknown_language", 422, "The language is not known"},
    {"idempotency_mismatch", 422, "The key was used for another request"},
    {"not_a_regular_file", 422, "Not a regular file"},
    {"is_directory", 422, "The path is a directory"},
    {"path_outside_workspace", 422, "The path does not stay inside the workspace"},
    {"tenant_limit", 429, "Too many requests", true},
    {"headers_too_large", 431, "The request's headers are too large"},
    {"internal", 500, "hotcell failed"},
    {"untrusted_path", 500, "hotcell's own files could have been changed by others"},
    {"at_capacity", 503, "All cells are busy", true},
    {"draining", 503, "hotcell is shutting down", true},
    {"engine_unavailable", 503, "The engine is not available", true},
    {"deadline_in_queue", 504, "The deadline passed before a cell was free", true},
    {"cancelled", 499, "The caller gave up before the program started"},
}};

}  // namespace

Problem make_problem(std::string code, std::string detail, std::string hint) {
  Problem problem;
  problem.code = std::move(code);
  problem.title = "hotcell failed";
  problem.detail = std::move(detail);
  problem.hint = std::move(hint);
  for (const auto& kind : kKinds) {
    if (kind.code != problem.code) continue;
    problem.http_status = kind.http_status;
    problem.title = kind.title;
    problem.retryable = kind.retryable;
  }
  return problem;
}

Problem problem_from(const Error& error) { return make_problem(error.code, error.message, error.hint); }

Error error_from(const Problem& problem) { return {problem.code, problem.detail, problem.hint}; }

nlohmann::ordered_json to_json(const Problem& problem) {
  nlohmann::ordered_json json = {
      {"type", "urn:hotcell:problem:" + problem.code},
      {"title", problem.title},
      {"status", problem.http_status},
      {"detail", problem.detail},
      {"code", problem.code},
      {"retryable", problem.retryable},
  };
  if (!problem.hint.empty()) json["hint"] = problem.hint;
  if (!problem.request_id.empty()) json["request_id"] = problem.request_id;
  if (!problem.errors.empty()) {
    auto& errors = json["errors"] = nlohmann::ordered_json::array();
    for (const auto& [pointer, detail] : problem.errors) errors.push_back({{"pointer", pointer}, {"detail", detail}});
  }
  return json;
}

}  // namespace hotcell::protocol
