// From command-line words to a Request: what `run`, `wasm` and `bench` have in common.
#pragma once
#include <CLI/CLI.hpp>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "cli/settings.h"
#include "protocol/request.h"

namespace hotcell::cli {

struct ProgramFlags {
  std::string language, code, file, engine = "auto", interpreter, checks, network, image, cwd;
  bool has_code = false;
  std::string stdin_file;
  std::vector<std::string> files, dirs, env, collect, args, packages;
  std::optional<double> timeout, memory_mb, disk_mb, cpu_seconds, cpus;
  std::optional<std::uint64_t> max_output, fuel, seed, pids;
  std::string out, url;
  bool embedded = false;  // by an engine of our own, also where a service runs
  bool json = false;
  bool verbose = false;  // say how it went, on stderr
};

void add_limit_flags(CLI::App& command, ProgramFlags& flags);
// What only containers have: --image, --network, --cpus, --pids, --cwd.
void add_container_flags(CLI::App& command, ProgramFlags& flags);
void add_file_flags(CLI::App& command, ProgramFlags& flags);
// Where it runs: --url, --embedded.
void add_service_flags(CLI::App& command, ProgramFlags& flags);

// From the extension, the shebang, or -l.
Expected<protocol::Language> language_of(const ProgramFlags& flags, std::string_view content);

// Reads the program (a file, -c, or "-" for standard input) and everything it is given.
Expected<protocol::Request> program_request(const ProgramFlags& flags, const Settings& settings);
// The same for a WebAssembly module.
Expected<protocol::Request> module_request(const ProgramFlags& flags, const Settings& settings);

// A command line instead of a program.
Expected<protocol::Request> argv_request(const ProgramFlags& flags, const Settings& settings);

// Runs it, by the service that is there or by an engine of our own, passes the output on (or prints JSON), writes
// collected files to --out; returns the exit status.
int run_and_print(protocol::Request request, const ProgramFlags& flags, const Settings& settings);

}  // namespace hotcell::cli
