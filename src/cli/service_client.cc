#include "cli/service_client.h"

#include <cstdlib>
#include <filesystem>

#include "cli/environment.h"
#include "cli/serve.h"
#include "protocol/json_reader.h"

namespace hotcell::cli {

namespace {

constexpr std::chrono::seconds kPatience{10};
constexpr const char* kSystemSocket = "/run/hotcell/hotcell.sock";  // of the package's units

}  // namespace

CLI::Option* add_url_option(CLI::App& command, std::string& url) {
  return command.add_option("--url", url, "the service: unix:PATH or http://IP:PORT")
      ->type_name("URL")
      ->envname("HOTCELL_URL");
}

Expected<HttpClient> connect_service(const std::string& url, Deadline deadline) {
  const auto connect = [&](const std::string& to) {
    auto client = HttpClient::connect(to, deadline);
    if (client) client->token = environment("HOTCELL_TOKEN");
    return client;
  };
  if (!url.empty()) return connect(url);
  if (const auto named = environment("HOTCELL_URL"); !named.empty()) return connect(named);
  const auto own = default_socket().string();
  if (auto client = connect("unix:" + own)) return client;
  // Who has set a state folder means that one only.
  if (own != kSystemSocket && environment("HOTCELL_STATE_DIR").empty())
    if (auto client = connect(std::string("unix:") + kSystemSocket)) return client;
  return fail("no_service", "no service answers at " + own,
              "start one (hotcelld, or systemctl start hotcelld), or say where it is with --url");
}

Error error_of(const HttpClient::Answer& answer) {
  const auto json = nlohmann::json::parse(answer.body, nullptr, false);
  const auto text = [&](const char* name) {
    const auto at = json.is_object() ? json.find(name) : json.end();
    return json.is_object() && at != json.end() && at->is_string() ? at->get<std::string>() : std::string();
  };
  auto detail = text("detail");
  if (detail.empty()) detail = "the service answers with status " + std::to_string(answer.status);
  auto code = text("code");
  return {code.empty() ? "service_error" : std::move(code), std::move(detail), text("hint")};
}

Expected<nlohmann::ordered_json> ask(HttpClient& service, std::string_view method, std::string_view path) {
  auto answer = service.send(method, path, "", Deadline::after(kPatience));
  if (!answer) return std::unexpected(answer.error());
  if (answer->status / 100 != 2) return std::unexpected(error_of(*answer));
  auto json = nlohmann::ordered_json::parse(answer->body, nullptr, false);
  if (!json.is_object()) return fail("service_error", "the service's answer is no JSON object");
  return json;
}

}  // namespace hotcell::cli
