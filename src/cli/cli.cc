#include "cli/cli.h"

#include <algorithm>

#include "cli/commands.h"
#include "cli/terminal.h"
#include "protocol/nearest.h"

namespace hotcell::cli {

namespace {

std::string lower_first(std::string text) {
  if (!text.empty() && text[0] >= 'A' && text[0] <= 'Z') text[0] = static_cast<char>(text[0] - 'A' + 'a');
  return text;
}

// Which known flag or command the first unknown word may have meant.
std::string hint_for(const CLI::App& app, int argc, char** argv) {
  std::vector<std::string> names;
  const CLI::App* command = &app;
  for (const auto* sub : app.get_subcommands()) command = sub;
  for (const auto* level : {&app, command})
    for (const auto* option : level->get_options())
      for (const auto& name : option->get_lnames()) names.push_back("--" + name);
  if (command == &app)
    for (const auto* sub : app.get_subcommands({})) names.push_back(sub->get_name());
  const std::vector<std::string_view> known(names.begin(), names.end());
  for (int i = 1; i < argc; ++i) {
    const std::string_view word(argv[i]);
    if (word == "--") break;
    const auto name = word.substr(0, word.find('='));
    const bool flag = name.starts_with("--");
    if ((!flag && command != &app) || std::find(known.begin(), known.end(), name) != known.end()) continue;
    const auto near = protocol::nearest(name, known);
    if (!near.empty()) return "did you mean " + std::string(near) + "?";
  }
  return "see hotcell " + (command == &app ? std::string() : command->get_name() + " ") + "--help";
}

}  // namespace

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
  commands.config_file = [&] { return std::filesystem::path(config); };
  commands.settings = [&] { return load_settings(config); };
  commands.verbose = [&] { return level == "info" || level == "debug"; };
  add_run(app, commands);
  add_exec(app, commands);
  add_wasm(app, commands);
  add_bench(app, commands);
  add_images(app, commands);
  add_cells(app, commands);
  add_doctor(app, commands);
  add_cache(app, commands);
  add_check(app, commands);
  add_deps(app, commands);
  add_serve(app, commands);
  add_token(app, commands);
  add_operate(app, commands);
  add_config(app, commands);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& error) {
    return app.exit(error);
  } catch (const CLI::ParseError& error) {
    return complain({"invalid_field", lower_first(error.what()), hint_for(app, argc, argv)});
  }
  return commands.action ? commands.action() : kRefused;
}

}  // namespace hotcell::cli
