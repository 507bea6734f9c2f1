// The execute request as JSON (api.md B3): strict on the way in, so that a typo is an answer and not a run with
// defaults.
//
// Problems: malformed, body_too_large, invalid_field, unknown_language, path_outside_workspace; each with a pointer to
// every field concerned. Null counts as absent.
#pragma once
#include <expected>
#include <nlohmann/json.hpp>
#include <string_view>

#include "protocol/json_reader.h"
#include "protocol/problem.h"
#include "protocol/request.h"

namespace hotcell::protocol {

std::expected<Request, Problem> request_from_json(std::string_view text, const JsonCaps& caps = {});
// For requests inside another document (a batch, a tool call); texts are moved out of `document`.
std::expected<Request, Problem> request_from_document(nlohmann::json&& document);

// What request_from_json() reads back as the same request. Members that have their default are left out; bytes that are
// not UTF-8 go as base64 where the schema has a place for it (stdin, files).
nlohmann::ordered_json to_json(const Request& request);

}  // namespace hotcell::protocol
