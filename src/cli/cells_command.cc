// hotcell ps and hotcell sweep: the programs that a service runs, the containers of this home, and getting rid of what
// nobody owns any more.
#include <chrono>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/commands.h"
#include "cli/service_client.h"
#include "cli/terminal.h"
#include "docker/sweeper.h"
#include "protocol/result_json.h"
#include "protocol/timestamp.h"

namespace hotcell::cli {
namespace {

using nlohmann::ordered_json;
namespace api = docker::api;

constexpr double kSeconds = 60;

// Finds the daemon and this user's home, and does something with both.
template <class Work>
int with_daemon(const Settings& settings, Work work) {
  const auto until = api::Until::seconds(kSeconds, stop_on_signals().fd());
  auto endpoint = settings.docker.docker_host.empty() ? api::Endpoint::from_environment()
                                                      : api::Endpoint::parse(settings.docker.docker_host);
  if (!endpoint) return complain(endpoint.error());
  auto home =
      docker::Home::open(settings.docker.state.empty() ? docker::default_state_folder() : settings.docker.state);
  if (!home) return complain(home.error());
  auto client = api::Client::connect(*endpoint, until);
  return client ? work(**client, *home, until) : complain(client.error());
}

std::string age_text(std::int64_t created) {
  const auto now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  const auto seconds = std::max<std::int64_t>(0, now - created);
  if (seconds < 120) return std::to_string(seconds) + " s";
  if (seconds < 7200) return std::to_string(seconds / 60) + " min";
  return std::to_string(seconds / 3600) + " h";
}

int list_cells(const Settings& settings, bool json) {
  return with_daemon(settings, [&](api::Client& client, const docker::Home& home, api::Until until) {
    const auto cells = docker::owned(client, home, until);
    if (!cells) return complain(cells.error());
    auto list = ordered_json::array();
    for (const auto& one : *cells)
      list.push_back({{"id", one.id},
                      {"name", one.name},
                      {"class", one.kind},
                      {"image", one.image},
                      {"state", one.state},
                      {"created_at", protocol::to_timestamp(std::chrono::system_clock::from_time_t(one.created))},
                      {"owner", one.owner},
                      {"owner_alive", one.owner_lives}});
    if (json) {
      put(1, protocol::dump(list) + "\n");
      return 0;
    }
    std::printf("%-12s  %-18s  %-8s  %8s  %s\n", "ID", "CLASS", "STATE", "AGE", "OWNER");
    for (const auto& one : *cells)
      std::printf("%-12s  %-18s  %-8s  %8s  %s%s\n", one.id.substr(0, 12).c_str(), one.kind.c_str(), one.state.c_str(),
                  age_text(one.created).c_str(), one.owner.c_str(), one.owner_lives ? "" : " (dead)");
    return 0;
  });
}

// What the service runs; nullopt: there is none.
std::optional<int> list_programs(const std::string& url, bool json) {
  auto service = connect_service(url, Deadline::after(std::chrono::seconds(5)));
  if (!service && service.error().code == "no_service") return std::nullopt;
  if (!service) return complain(service.error());
  const auto answer = ask(*service, "GET", "/v1/executions");
  if (!answer) return complain(answer.error());
  const auto list = answer->value("items", ordered_json::array());
  if (json) {
    put(1, protocol::dump(list) + "\n");
    return 0;
  }
  std::printf("%-36s  %-20s  %-10s  %-7s  %8s\n", "ID", "TENANT", "LANGUAGE", "STATE", "AGE");
  for (const auto& one : list)
    std::printf("%-36s  %-20s  %-10s  %-7s  %6.1f s\n", one.value("id", "").c_str(), one.value("tenant", "").c_str(),
                one.value("language", "").c_str(), one.value("state", "").c_str(), one.value("age_seconds", 0.0));
  return 0;
}

int sweep_cells(const Settings& settings, bool all, bool json) {
  return with_daemon(settings, [&](api::Client& client, const docker::Home& home, api::Until until) {
    docker::SweepOptions how;
    how.all = all;
    const auto swept = docker::sweep(client, home, how, until);
    if (!swept) return complain(swept.error());
    if (json) {
      put(1, protocol::dump(ordered_json{{"containers", swept->containers},
                                         {"networks", swept->networks},
                                         {"volumes", swept->volumes},
                                         {"failures", swept->failures.size()}}) +
                 "\n");
    } else {
      std::printf("removed: %u containers, %u networks, %u volumes\n", swept->containers, swept->networks,
                  swept->volumes);
    }
    std::fflush(stdout);
    for (const auto& one : swept->failures) complain(one);
    return swept->failures.empty() ? 0 : kRefused;
  });
}

}  // namespace

void add_cells(CLI::App& app, Commands& commands) {
  auto json = std::make_shared<bool>(false), all = std::make_shared<bool>(false), cells = std::make_shared<bool>(false);
  auto url = std::make_shared<std::string>();
  auto* ps = app.add_subcommand("ps", "List what a service runs; without one, or with --cells, this user's containers");
  ps->add_flag("--json", *json, "as JSON");
  ps->add_flag("--cells", *cells, "container cells, also where a service runs");
  add_url_option(*ps, *url);
  ps->callback([&commands, json, cells, url] {
    commands.action = [&commands, json, cells, url]() -> int {
      if (!*cells)
        if (const auto listed = list_programs(*url, *json)) return *listed;
      auto settings = commands.settings();
      return settings ? list_cells(*settings, *json) : complain(settings.error());
    };
  });
  auto* sweep = app.add_subcommand("sweep", "Remove containers and networks that no living hotcell of this user owns");
  sweep->add_flag("--all", *all, "those of living ones too: what they run is lost");
  sweep->add_flag("--json", *json, "as JSON");
  sweep->callback([&commands, json, all] {
    commands.action = [&commands, json, all]() -> int {
      auto settings = commands.settings();
      return settings ? sweep_cells(*settings, *all, *json) : complain(settings.error());
    };
  });
}

}  // namespace hotcell::cli
