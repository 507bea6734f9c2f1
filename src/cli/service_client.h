// Where the service is, for commands that speak to one.
#pragma once
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/deadline.h"
#include "base/error.h"
#include "cli/http_client.h"

namespace hotcell::cli {

// --url; also $HOTCELL_URL.
CLI::Option* add_url_option(CLI::App& command, std::string& url);

// To `url`; if that is empty to $HOTCELL_URL, else to the first of the usual unix sockets where somebody listens: the
// user's own, the system's. Costs two system calls when there is none. $HOTCELL_TOKEN is sent. Errors: "no_service"
// when none was named and nobody listens; else why it could not connect.
Expected<HttpClient> connect_service(const std::string& url, Deadline deadline);

// One request with a small answer in JSON. A problem that the service answers with is the error.
Expected<nlohmann::ordered_json> ask(HttpClient& service, std::string_view method, std::string_view path);
// The problem of an answer that is none of 2xx.
Error error_of(const HttpClient::Answer& answer);

}  // namespace hotcell::cli
