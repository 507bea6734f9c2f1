#include <memory>

#include "cli/commands.h"
#include "cli/program.h"
#include "cli/terminal.h"

namespace hotcell::cli {

void add_run(CLI::App& app, Commands& commands) {
  auto flags = std::make_shared<ProgramFlags>();
  auto* command = app.add_subcommand("run", "Run a program: hotcell run [options] FILE|-|-c CODE [-- args]");
  command->positionals_at_end(false);
  command->add_option("-l,--language", flags->language, "python, javascript or bash; else from extension or shebang")
      ->type_name("LANGUAGE");
  auto* code = command->add_option("-c,--code", flags->code, "the program itself")->type_name("CODE");
  command
      ->add_option("--interpreter", flags->interpreter,
                   "run Python with this interpreter module instead of the built-in one")
      ->type_name("WASM")
      ->envname("PYTHON_WASI_WASM_PATH");
  command->add_option("file", flags->file, "the program's file, or - for standard input");
  command->add_option("args", flags->args, "arguments for the program, after --");
  command->add_option("--checks", flags->checks, "what comes of dangerous code: off, warn or enforce")
      ->type_name("MODE");
  command->add_option("--dep", flags->packages, "a package that it needs, may be repeated; then nothing is detected")
      ->type_name("REQUIREMENT")
      ->allow_extra_args(false);
  add_limit_flags(*command, *flags);
  add_container_flags(*command, *flags);
  add_file_flags(*command, *flags);
  add_service_flags(*command, *flags);
  command->footer(
      "The exit status is the program's; 124 timeout, 125 hotcell failed or refused, 128+n signal n, 137 a limit.");
  command->callback([&commands, flags, code] {
    commands.action = [&commands, flags, code]() -> int {
      flags->has_code = code->count() > 0;
      if (flags->has_code && !flags->file.empty())
        flags->args.insert(flags->args.begin(), std::exchange(flags->file, {}));
      if (!flags->has_code && flags->file.empty())
        return complain(
            {"invalid_field", "there is no program to run", "give a file, - for standard input, or -c CODE"});
      flags->verbose = commands.verbose();
      auto settings = commands.settings();
      if (!settings) return complain(settings.error());
      auto request = program_request(*flags, *settings);
      if (!request) return complain(request.error());
      return run_and_print(std::move(*request), *flags, *settings);
    };
  });
}

void add_exec(CLI::App& app, Commands& commands) {
  auto flags = std::make_shared<ProgramFlags>();
  flags->engine = "docker";
  auto* command =
      app.add_subcommand("exec", "Run any program of a container image: hotcell exec [options] -- COMMAND [args]");
  command->positionals_at_end(true);
  command->add_option("command", flags->args, "the program and its arguments, after --")->required();
  add_limit_flags(*command, *flags);
  add_container_flags(*command, *flags);
  add_file_flags(*command, *flags);
  add_service_flags(*command, *flags);
  command->footer("The exit status is the program's, as with hotcell run; 126 and 127 as in a shell.");
  command->callback([&commands, flags] {
    commands.action = [&commands, flags]() -> int {
      if (flags->engine == "wasi")
        return complain({"unsupported_by_engine", "a WASI cell has no other programs to start", "use --engine docker"});
      flags->verbose = commands.verbose();
      auto settings = commands.settings();
      if (!settings) return complain(settings.error());
      auto request = argv_request(*flags, *settings);
      if (!request) return complain(request.error());
      return run_and_print(std::move(*request), *flags, *settings);
    };
  });
}

void add_wasm(CLI::App& app, Commands& commands) {
  auto flags = std::make_shared<ProgramFlags>();
  auto* command = app.add_subcommand(
      "wasm", "Run a WebAssembly module (WASI preview 1): hotcell wasm [options] FILE.wasm|FILE.wat [-- args]");
  command->add_option("file", flags->file, "the module")->required();
  command->add_option("args", flags->args, "arguments for the module, after --");
  add_limit_flags(*command, *flags);
  add_file_flags(*command, *flags);
  add_service_flags(*command, *flags);
  command->callback([&commands, flags] {
    commands.action = [&commands, flags]() -> int {
      flags->verbose = commands.verbose();
      auto settings = commands.settings();
      if (!settings) return complain(settings.error());
      auto request = module_request(*flags, *settings);
      if (!request) return complain(request.error());
      return run_and_print(std::move(*request), *flags, *settings);
    };
  });
}

}  // namespace hotcell::cli
