#include "cli/commands.h"
#include "cli/serve.h"

namespace hotcell::cli {

void add_serve(CLI::App& app, Commands& commands) {
  auto flags = std::make_shared<ServeFlags>();
  auto* command = app.add_subcommand("serve", "Serve programs over HTTP, as hotcelld does");
  add_serve_options(*command, *flags);
  command->callback(
      [&commands, flags] { commands.action = [&commands, flags] { return serve(*flags, commands.config_file()); }; });
}

}  // namespace hotcell::cli
