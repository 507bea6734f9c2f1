#include "cli/cli.h"

#include "cli/commands.h"
#include "cli/terminal.h"

namespace hotcell::cli {

int run_cli(int argc, char** argv) {
  CLI::App app("hotcell runs code where it can do no harm, and says what became of it.", "hotcell");
  app.set_version_flag("--version", std::string("hotcell ") + HOTCELL_VERSION);
  app.require_subcommand(1);
  app.fallthrough();
  app.failure_message(CLI::FailureMessage::simple);
  std::string config, level = "warn";
  app.add_option("--config", config, "settings file (YAML)")->type_name("FILE");
  app.add_option("--log-level", level, "quiet, error, warn, info or debug")
      ->check(CLI::IsMember({"quiet", "error", "warn", "info", "debug"}));

  Commands commands;
  commands.settings = [&] { return load_settings(config); };
  add_run(app, commands);
  add_wasm(app, commands);
  add_bench(app, commands);
  add_images(app, commands);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int status = app.exit(error);
    return status == 0 ? 0 : kRefused;
  }
  return commands.action ? commands.action() : kRefused;
}

}  // namespace hotcell::cli
