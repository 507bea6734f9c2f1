// What a door answers when a request was never admitted: RFC 9457 problem details, with the extensions of api.md B7.
//
// An Error is our own failure in one sentence; a Problem is that, dressed for the wire, and can point at several fields
// at once. Neither ever describes what became of a program.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"

namespace hotcell::protocol {

struct Problem {
  int http_status = 500;
  std::string code = "internal";
  std::string title;   // the same for every problem with this code
  std::string detail;  // what was wrong this time
  std::string hint;    // what to do about it; may be empty
  bool retryable = false;
  std::vector<std::pair<std::string, std::string>> errors;  // JSON pointer into the request, what is wrong there
  std::string request_id;                                   // the door's; may be empty
};

// Fills in HTTP status, title and retryable from the code. An unknown code is an internal error under its own name.
Problem make_problem(std::string code, std::string detail, std::string hint = {});
Problem problem_from(const Error& error);
// For doors that have one sentence to print: the CLI, the library.
Error error_from(const Problem& problem);

// type, title, status, detail, code, retryable; hint, request_id and errors only when there are any.
nlohmann::ordered_json to_json(const Problem& problem);

}  // namespace hotcell::protocol
