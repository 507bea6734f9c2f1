// hotcell doctor: what really holds on this machine, as a table: asked for, seen from inside a cell, shown by the
// daemon.
#include <algorithm>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/engines.h"
#include "cli/terminal.h"
#include "protocol/result_json.h"
#include "wasi/manifest.h"

namespace hotcell::cli {
namespace {

using docker::Diagnosis;
using docker::HostFact;
using nlohmann::ordered_json;

constexpr int kUnhealthy = 1;
constexpr double kSeconds = 120;

const char* word(HostFact::Verdict verdict) {
  return verdict == HostFact::Verdict::good ? "ok" : verdict == HostFact::Verdict::weak ? "weak" : "BAD";
}

void add_wasi(std::vector<HostFact>& facts, const Settings& settings) {
  const auto folder = settings.wasi.images.empty() ? wasi::default_images_folder() : settings.wasi.images;
  const auto manifest = wasi::Manifest::load(folder / "python");
  if (manifest)
    facts.push_back({"wasi image", manifest->name + " " + manifest->version, HostFact::Verdict::good, ""});
  else
    facts.push_back({"wasi image", "none", HostFact::Verdict::weak, manifest.error().message});
}

ordered_json as_json(const Diagnosis& found) {
  ordered_json out{{"healthy", found.healthy()}, {"host", ordered_json::array()}, {"cell", ordered_json::array()}};
  for (const auto& one : found.host)
    out["host"].push_back(
        {{"name", one.name}, {"value", one.value}, {"verdict", word(one.verdict)}, {"remark", one.remark}});
  for (const auto& one : found.cell)
    out["cell"].push_back({{"line", one.line},
                           {"asked", one.asked},
                           {"inside", one.inside},
                           {"daemon", one.daemon},
                           {"holds", one.holds}});
  if (!found.mutations.empty()) {
    out["self_test"] = ordered_json::array();
    for (const auto& one : found.mutations)
      out["self_test"].push_back({{"line", one.line}, {"noticed", one.noticed}, {"how", one.how}});
  }
  out["error"] =
      found.error
          ? ordered_json{{"code", found.error->code}, {"message", found.error->message}, {"hint", found.error->hint}}
          : ordered_json();
  return out;
}

std::string padded(std::string text, std::size_t width) {
  if (text.size() < width) text.resize(width, ' ');
  return text;
}

void print(const Diagnosis& found) {
  for (const auto& one : found.host)
    std::printf("%-4s  %-16s %s%s%s\n", word(one.verdict), one.name.c_str(), one.value.c_str(),
                one.remark.empty() ? "" : ": ", one.remark.c_str());
  if (!found.cell.empty()) {
    std::size_t widths[4] = {4, 9, 6, 6};
    const auto cells = [](const docker::Finding& one) {
      const auto shown = [](const std::string& text) { return text.empty() ? std::string("-") : text; };
      return std::array{one.line, one.asked, shown(one.inside), shown(one.daemon)};
    };
    for (const auto& one : found.cell)
      for (std::size_t i = 0; i < 4; ++i)
        widths[i] = std::min<std::size_t>(std::max(widths[i], cells(one)[i].size()), 48);
    const auto row = [&](const char* verdict, const std::array<std::string, 4>& texts) {
      std::string line = padded(verdict, 6);
      for (std::size_t i = 0; i < 4; ++i) line += padded(texts[i], widths[i] + 2);
      while (line.ends_with(' ')) line.pop_back();
      std::printf("%s\n", line.c_str());
    };
    std::printf("\n");
    row("", {"line", "asked for", "inside", "daemon"});
    for (const auto& one : found.cell) row(one.holds ? "ok" : "BAD", cells(one));
  }
  if (!found.mutations.empty()) {
    std::printf("\nleft out on purpose, one line at a time:\n");
    for (const auto& one : found.mutations)
      std::printf("%-4s  %-20s %s\n", one.noticed ? "ok" : "BAD", one.line.c_str(), one.how.c_str());
  }
  std::printf("\n%s\n", found.healthy() ? "everything holds" : "something does not hold");
}

int examine(const Settings& settings, bool json, bool self_test) {
  if (!settings.docker_enabled)
    return complain({"engine_unavailable", "the docker engine is switched off (docker.enabled)", ""});
  auto engine = docker::DockerEngine::create(for_one_run(settings.docker));
  if (!engine) return complain(engine.error());
  auto found = (*engine)->diagnose(self_test, docker::api::Until::seconds(kSeconds, stop_on_signals().fd()));
  if (!found) return complain(found.error());
  add_wasi(found->host, settings);
  if (json)
    put(1, protocol::dump(as_json(*found)) + "\n");
  else
    print(*found);
  std::fflush(stdout);
  if (!json && found->error) complain(*found->error);
  return found->healthy() ? 0 : kUnhealthy;
}

}  // namespace

void add_doctor(CLI::App& app, Commands& commands) {
  auto json = std::make_shared<bool>(false), self_test = std::make_shared<bool>(false);
  auto* command =
      app.add_subcommand("doctor", "Show what of a container cell's lock-down really holds on this machine");
  command->add_flag("--json", *json, "as JSON");
  command->add_flag("--self-test", *self_test,
                    "also leave out each line in turn, to see that this would be noticed; takes some seconds");
  command->footer("The exit status is 1 when anything differs from what was asked for.");
  command->callback([&commands, json, self_test] {
    commands.action = [&commands, json, self_test]() -> int {
      auto settings = commands.settings();
      return settings ? examine(*settings, *json, *self_test) : complain(settings.error());
    };
  });
}

}  // namespace hotcell::cli
