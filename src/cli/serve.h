// The service as a whole: `hotcelld`, and `hotcell serve`. What stands here only puts parts together.
#pragma once
#include <CLI/CLI.hpp>
#include <filesystem>
#include <string>
#include <vector>

#include "cli/settings.h"
#include "server/log.h"

namespace hotcell::cli {

// What the command line says; it goes before the environment and the settings file.
struct ServeFlags {
  std::vector<GivenSetting> given;
};

inline constexpr unsigned kDefaultPort = 4682;

// $HOTCELL_STATE_DIR, else ${XDG_STATE_HOME:-~/.local/state}/hotcell.
std::filesystem::path default_state_folder();
// Where the service is found when nobody says otherwise: STATE/hotcell.sock where HOTCELL_STATE_DIR is set; else
// $XDG_RUNTIME_DIR/hotcell.sock, /run/hotcell/hotcell.sock for root, STATE/hotcell.sock.
std::filesystem::path default_socket();
std::filesystem::path default_tokens_file(const std::filesystem::path& state);
// What each token has used: beside the tokens.
std::filesystem::path usage_file(const std::filesystem::path& state);

// One for each setting that has a flag. `flags` outlives the parsing.
void add_serve_options(CLI::App& app, ServeFlags& flags);
// Until a signal ends it. `config`: as for load_settings(); SIGHUP reads it again.
int serve(const ServeFlags& flags, const std::filesystem::path& config);

// hotcelld's whole command line.
int run_daemon(int argc, char** argv);

}  // namespace hotcell::cli
