// Where hotcell's settings come from: flags over environment (HOTCELL_* and the seeds' names) over one YAML file over
// defaults. A setting that is not known is a start error that names the nearest one. What there is: settings_table.h.
#pragma once
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "cli/server_settings.h"
#include "deps/needs.h"
#include "docker/engine.h"
#include "install/options.h"
#include "protocol/request.h"
#include "wasi/engine.h"

namespace hotcell::cli {

struct Settings {
  wasi::EngineOptions wasi;
  docker::EngineOptions docker;
  bool docker_enabled = true;
  double timeout_seconds = 30;
  ServerSettings server;

  // The `checks:` section: what is looked for in a program before it runs.
  protocol::Checks checks = protocol::Checks::warn;  // of a run that asks for nothing else
  std::string check_policy = "standard";             // what `enforce` refuses by
  std::filesystem::path check_rules;                 // rules of the operator's own; empty: none

  // The `deps:` section.
  deps::Policy packages;
  std::filesystem::path package_map;  // imports and packages of the operator's own; empty: none
  install::InstallOptions indexes;

  std::filesystem::path file;                 // what was read; empty: there is none
  std::map<std::string, std::string> origin;  // of each setting that is not its default: "c.yaml:3", "$NAME", "--flag"
};

// "off", "warn" or "enforce".
Expected<protocol::Checks> checks_from_name(const std::string& name);
std::vector<std::pair<std::string_view, protocol::Checks>> check_words();

// What a flag says of a setting.
struct GivenSetting {
  std::string key, flag;
  std::vector<std::string> words;
};

// `file` empty: $HOTCELL_CONFIG, else the first of ~/.config/hotcell/config.yaml and /etc/hotcell/config.yaml that
// exists.
Expected<Settings> load_settings(const std::filesystem::path& file, std::span<const GivenSetting> flags = {});

// The same, with every mistake that is in there.
struct Mistakes {
  Settings settings;
  std::vector<Error> errors;
};
Mistakes examine_settings(const std::filesystem::path& file, std::span<const GivenSetting> flags = {});

}  // namespace hotcell::cli
