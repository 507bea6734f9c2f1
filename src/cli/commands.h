// The subcommands: each adds itself to the application and leaves what is to be done in `action`.
#pragma once
#include <CLI/CLI.hpp>
#include <functional>

#include "cli/settings.h"

namespace hotcell::cli {

struct Commands {
  std::function<Expected<Settings>()> settings;  // loaded when a command needs them
  std::function<bool()> verbose;                 // --log-level info or more
  std::function<int()> action;
};

void add_run(CLI::App& app, Commands& commands);
void add_wasm(CLI::App& app, Commands& commands);
void add_bench(CLI::App& app, Commands& commands);
void add_images(CLI::App& app, Commands& commands);

}  // namespace hotcell::cli
