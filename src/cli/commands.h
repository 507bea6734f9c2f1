// The subcommands: each adds itself to the application and leaves what is to be done in `action`.
#pragma once
#include <CLI/CLI.hpp>
#include <functional>

#include "cli/settings.h"

namespace hotcell::cli {

struct Commands {
  std::function<std::filesystem::path()> config_file;  // --config; empty: the usual ones
  std::function<Expected<Settings>()> settings;        // loaded when a command needs them
  std::function<bool()> verbose;                       // --log-level info or more
  std::function<int()> action;
};

void add_run(CLI::App& app, Commands& commands);
void add_exec(CLI::App& app, Commands& commands);
void add_cells(CLI::App& app, Commands& commands);  // ps, sweep
void add_doctor(CLI::App& app, Commands& commands);
void add_wasm(CLI::App& app, Commands& commands);
void add_bench(CLI::App& app, Commands& commands);
void add_images(CLI::App& app, Commands& commands);
void add_cache(CLI::App& app, Commands& commands);
void add_check(CLI::App& app, Commands& commands);
void add_config(CLI::App& app, Commands& commands);
void add_deps(CLI::App& app, Commands& commands);
void add_serve(CLI::App& app, Commands& commands);
void add_operate(CLI::App& app, Commands& commands);  // status, logs, drain
void add_token(CLI::App& app, Commands& commands);

}  // namespace hotcell::cli
