#include "cli/program.h"

#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "base/file.h"
#include "cli/engines.h"
#include "cli/remote_run.h"
#include "cli/service_client.h"
#include "cli/terminal.h"
#include "protocol/engine.h"
#include "protocol/nearest.h"
#include "protocol/result_json.h"
#include "protocol/workspace_path.h"

namespace hotcell::cli {
namespace {

namespace fs = std::filesystem;
using namespace protocol;

constexpr std::size_t kMaxProgram = 64u << 20;
constexpr std::size_t kMaxStdin = 256u << 20;
constexpr std::size_t kMaxGiven = 512u << 20;
constexpr std::size_t kMaxGivenFiles = 20000;

// "source:destination"; without a destination the source's own name.
std::pair<fs::path, std::string> split_mapping(const std::string& text) {
  const auto colon = text.rfind(':');
  if (colon == text.npos || colon == 0) {
    auto name = fs::path(text).lexically_normal();
    if (!name.has_filename()) name = name.parent_path();
    return {text, name.filename().string()};
  }
  return {text.substr(0, colon), text.substr(colon + 1)};
}

// Where in the cell: programs get files in /workspace only, modules anywhere.
Expected<std::string> place(const std::string& destination, bool anywhere) {
  if (anywhere && destination.starts_with('/')) return destination;
  auto path = workspace_path(destination);
  if (!path) return fail("path_outside_workspace", "cannot put a file at " + destination + ": " + path.error());
  return *path;
}

Expected<void> add_file(Request& request, const fs::path& source, std::string destination, std::size_t& total) {
  auto content = read_file(source, kMaxGiven);
  if (!content) return std::unexpected(content.error());
  total += content->size();
  if (total > kMaxGiven || request.files.size() >= kMaxGivenFiles)
    return fail("file_too_large", "the files given are more than " + std::to_string(kMaxGiven >> 20) + " MiB or " +
                                      std::to_string(kMaxGivenFiles) + " files");
  InputFile file;
  file.path = std::move(destination);
  file.content = std::move(*content);
  request.files.push_back(std::move(file));
  return {};
}

Expected<void> add_directory(Request& request, const fs::path& source, const std::string& destination,
                             std::size_t& total) {
  std::error_code error;
  if (!fs::is_directory(source, error)) return fail("invalid_field", source.string() + " is not a directory");
  InputFile folder;
  folder.path = destination;
  folder.directory = true;
  request.files.push_back(folder);
  for (fs::recursive_directory_iterator at(source, error), end; at != end && !error; at.increment(error)) {
    const auto inside = destination + "/" + at->path().lexically_relative(source).generic_string();
    if (at->is_symlink()) continue;  // what a link means is the host's business
    if (at->is_directory()) {
      folder.path = inside;
      request.files.push_back(folder);
    } else if (at->is_regular_file()) {
      if (auto added = add_file(request, at->path(), inside, total); !added) return added;
    }
  }
  if (error) return fail("internal", "cannot read " + source.string() + ": " + error.message());
  return {};
}

Expected<void> fill_common(Request& request, const ProgramFlags& flags, const Settings& settings, bool anywhere) {
  request.timeout_seconds = flags.timeout.value_or(settings.timeout_seconds);
  if (!(request.timeout_seconds > 0 && request.timeout_seconds <= 86400))
    return fail("invalid_field", "the timeout must be above 0 and at most 86400 seconds");
  const auto megabytes = [](double value) { return static_cast<std::uint64_t>(value * 1048576); };
  if (flags.memory_mb) request.limits.memory_bytes = megabytes(*flags.memory_mb);
  if (flags.disk_mb) request.limits.disk_bytes = megabytes(*flags.disk_mb);
  request.limits.cpu_seconds = flags.cpu_seconds;
  request.limits.output_bytes = flags.max_output;
  request.limits.fuel = flags.fuel;
  request.limits.cpus = flags.cpus;
  request.limits.pids = flags.pids;
  if (!flags.image.empty()) request.image = flags.image;
  if (!flags.cwd.empty()) request.cwd = flags.cwd;
  if (flags.network == "open")
    request.network.mode = NetworkMode::open;
  else if (flags.network == "allowlist")
    return fail("unsupported_by_engine", "--network allowlist is not there yet", "use --network none or open");
  else if (!flags.network.empty() && flags.network != "none")
    return fail("invalid_field", "--network cannot be \"" + flags.network + "\"", "it is none or open");
  request.args = flags.args;
  if (flags.seed) request.deterministic = Deterministic{flags.seed, std::nullopt};
  for (const auto& variable : flags.env) {
    const auto equals = variable.find('=');
    if (equals == 0 || equals == variable.npos)
      return fail("invalid_field", "--env takes NAME=VALUE, not \"" + variable + "\"");
    request.env.emplace_back(variable.substr(0, equals), variable.substr(equals + 1));
  }
  if (flags.engine == "wasi")
    request.engine = EngineWish::wasi;
  else if (flags.engine == "docker")
    request.engine = EngineWish::docker;
  else if (flags.engine != "auto")
    return fail("invalid_field", "there is no engine \"" + flags.engine + "\"", "engines: auto, wasi, docker");
  request.checks = settings.checks;
  if (!flags.checks.empty()) {
    const auto checks = checks_from_name(flags.checks);
    if (!checks) return std::unexpected(checks.error());
    request.checks = *checks;
  }
  if (!flags.packages.empty()) request.dependencies = {DependencyMode::explicit_list, flags.packages};
  std::size_t total = 0;
  for (const auto& mapping : flags.files) {
    const auto [source, destination] = split_mapping(mapping);
    auto where = place(destination, anywhere);
    if (!where) return std::unexpected(where.error());
    if (auto added = add_file(request, source, *where, total); !added) return added;
  }
  for (const auto& mapping : flags.dirs) {
    const auto [source, destination] = split_mapping(mapping);
    auto where = place(destination, anywhere);
    if (!where) return std::unexpected(where.error());
    if (auto added = add_directory(request, source, *where, total); !added) return added;
  }
  request.collect.changed = flags.json || !flags.out.empty();
  request.collect.paths = flags.collect;
  if (!flags.out.empty()) {
    request.collect.inline_bytes = ~0ull;
    request.collect.max_files = 10000;
  }
  if (!flags.stdin_file.empty()) {
    auto text =
        flags.stdin_file == "-" ? read_all(0, kMaxStdin, "standard input") : read_file(flags.stdin_file, kMaxStdin);
    if (!text) return std::unexpected(text.error());
    request.stdin_bytes = std::move(*text);
  }
  return {};
}

// Output as it comes; standard input when the program asks for it, so that nobody waits for a pipe that stays open.
class PassThrough final : public OutputSink {
 public:
  PassThrough(bool show, bool input) : show_(show), input_(input) {}

 private:
  void output(Stream stream, std::span<const char> bytes) override {
    if (show_) put(stream == Stream::out ? 1 : 2, {bytes.data(), bytes.size()});
  }
  int input_fd() override { return input_ ? 0 : -1; }
  bool show_, input_;
};

// What the live stream did not show of a truncated output: the line that says so, and the end.
void put_tail(int fd, const Output& output, std::uint64_t shown) {
  if (!output.truncated) return;
  const auto mark = output.bytes.find(
      "\n[hotcell: ", std::min<std::size_t>(shown / 2 - std::min<std::uint64_t>(shown / 2, 16), output.bytes.size()));
  const auto left_out = output.total - std::min(output.total, shown);
  put(fd, "\n[hotcell: output is longer than the limit of " + std::to_string(shown) + " bytes; of the last " +
              std::to_string(left_out) + " bytes, the end follows; see --max-output]\n");
  if (mark == output.bytes.npos) return;
  const auto line_end = output.bytes.find('\n', mark + 1);
  if (line_end == output.bytes.npos) return;
  const auto tail = std::string_view(output.bytes).substr(line_end + 1);
  put(fd, tail.substr(tail.size() - std::min<std::uint64_t>(tail.size(), left_out)));
}

// Files that a program made, below the folder and nowhere else: their names are the program's choice.
Expected<void> write_files(const Outcome& outcome, const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  const auto root = fs::canonical(folder, error);
  if (error) return fail("internal", "cannot create " + folder.string() + ": " + error.message());
  for (const auto& file : outcome.files) {
    if (file.change == Change::deleted || file.content_left_out) continue;
    const auto relative = fs::path(file.path).relative_path();
    for (const auto& part : relative)
      if (part == ".." || part == ".") return fail("internal", "a file has a name that leads elsewhere: " + file.path);
    // Folder by folder, and through no link: one that stands there already must not lead us out.
    auto target = root;
    for (auto part = relative.begin(); part != relative.end(); ++part) {
      target /= *part;
      if (fs::is_symlink(fs::symlink_status(target, error)))
        return fail("internal", "cannot write " + target.string() + ": there is a symbolic link in its way");
      if (std::next(part) == relative.end()) break;
      fs::create_directory(target, error);
      if (!fs::is_directory(target)) return fail("internal", "cannot create the folder " + target.string());
    }
    if (auto done = write_file_atomically(
            target, {reinterpret_cast<const std::uint8_t*>(file.content.data()), file.content.size()});
        !done)
      return done;
  }
  return {};
}

}  // namespace

namespace {

// An interpreter of the user's own: a module that is given the program as a file (the seeds' python_wasi_runner).
Expected<Request> with_interpreter(const ProgramFlags& flags, const Settings& settings, std::string code) {
  Request request;
  request.language = Language::wasm;
  auto bytes = read_file(flags.interpreter, kMaxProgram);
  if (!bytes) {
    bytes.error().message = "the Python interpreter module is not there: " + bytes.error().message;
    bytes.error().hint = "see --interpreter and PYTHON_WASI_WASM_PATH";
    return std::unexpected(bytes.error());
  }
  request.wasm.emplace().bytes = std::move(*bytes);
  if (auto filled = fill_common(request, flags, settings, true); !filled) return std::unexpected(filled.error());
  InputFile program;
  program.path = "/workspace/main.py";
  program.content = std::move(code);
  request.files.push_back(std::move(program));
  request.args.insert(request.args.begin(), {"python", "/workspace/main.py"});
  return request;
}

}  // namespace

void add_limit_flags(CLI::App& command, ProgramFlags& flags) {
  command.add_option("--engine", flags.engine, "auto, wasi or docker")->type_name("ENGINE");
  command.add_option("--timeout", flags.timeout, "stop the program after this many seconds")->type_name("SECONDS");
  command.add_option("--cpu-seconds", flags.cpu_seconds, "stop it after this much CPU time")->type_name("SECONDS");
  command.add_option("--memory", flags.memory_mb, "memory limit")->type_name("MIB");
  command.add_option("--disk", flags.disk_mb, "how much it may write to its files")->type_name("MIB");
  command.add_option("--max-output", flags.max_output, "bytes kept of each output stream")->type_name("BYTES");
  command.add_option("--fuel", flags.fuel, "stop it after this many units of fuel, counted exactly")
      ->type_name("UNITS");
  command.add_option("--seed", flags.seed, "deterministic: fixed clock, randomness from this seed")
      ->type_name("NUMBER");
}

void add_container_flags(CLI::App& command, ProgramFlags& flags) {
  command.add_option("--image", flags.image, "a container image that the configuration allows")->type_name("IMAGE");
  command.add_option("--network", flags.network, "none, or open: it may reach public addresses")->type_name("MODE");
  command.add_option("--cpus", flags.cpus, "how many CPUs it may use at once (docker)")->type_name("NUMBER");
  command.add_option("--pids", flags.pids, "how many processes and threads it may have at once (docker)")
      ->type_name("NUMBER");
  command.add_option("--cwd", flags.cwd, "the folder that it starts in, below /workspace (docker)")->type_name("PATH");
}

void add_file_flags(CLI::App& command, ProgramFlags& flags) {
  command.add_option("--stdin", flags.stdin_file, "the program's standard input, from a file")->type_name("FILE");
  command.add_option("--file", flags.files, "give the program a file, may be repeated")
      ->type_name("FILE[:PATH]")
      ->allow_extra_args(false);
  command.add_option("--dir", flags.dirs, "give it a copy of a folder, may be repeated")
      ->type_name("DIR[:PATH]")
      ->allow_extra_args(false);
  command.add_option("--env", flags.env, "set an environment variable, may be repeated")
      ->type_name("NAME=VALUE")
      ->allow_extra_args(false);
  command.add_option("--out", flags.out, "write the files that the program made or changed to this folder")
      ->type_name("DIR");
  command.add_option("--collect", flags.collect, "files to give back even if unchanged, may be repeated")
      ->type_name("GLOB")
      ->allow_extra_args(false);
  command.add_flag("--json", flags.json, "print the result as JSON instead of passing the output through");
}

void add_service_flags(CLI::App& command, ProgramFlags& flags) {
  add_url_option(command, flags.url);
  command.add_flag("--embedded", flags.embedded, "here, also where a service runs")->envname("HOTCELL_EMBEDDED");
}

Expected<Language> language_of(const ProgramFlags& flags, std::string_view content) {
  const auto hint = "languages: python, javascript, bash; say which with -l";
  if (!flags.language.empty()) {
    if (const auto named = language_from_name(flags.language)) return *named;
    return fail("unknown_language", "there is no language \"" + flags.language + "\"", hint);
  }
  const auto extension = fs::path(flags.file).extension().string();
  for (const auto& [ending, language] : {std::pair(".py", Language::python),
                                         {".js", Language::javascript},
                                         {".mjs", Language::javascript},
                                         {".cjs", Language::javascript},
                                         {".sh", Language::bash},
                                         {".bash", Language::bash}})
    if (extension == ending) return language;
  if (content.starts_with("#!")) {
    const auto line = content.substr(0, content.find('\n'));
    for (const auto& [word, language] : {std::pair("python", Language::python),
                                         {"node", Language::javascript},
                                         {"bash", Language::bash},
                                         {"/sh", Language::bash}})
      if (line.find(word) != line.npos) return language;
  }
  if (flags.has_code || flags.file == "-") return Language::python;
  return fail("unknown_language", "cannot tell the language of " + flags.file, hint);
}

Expected<Request> program_request(const ProgramFlags& flags, const Settings& settings) {
  Request request;
  if (flags.has_code) {
    request.code = flags.code;
  } else {
    auto text = flags.file == "-" ? read_all(0, kMaxProgram, "the program on standard input")
                                  : read_file(flags.file, kMaxProgram);
    if (!text) return std::unexpected(text.error());
    request.code = std::move(*text);
  }
  auto language = language_of(flags, *request.code);
  if (!language) return std::unexpected(language.error());
  request.language = *language;
  if (!flags.interpreter.empty() && request.language == Language::python)
    return with_interpreter(flags, settings, std::move(*request.code));
  if (auto filled = fill_common(request, flags, settings, false); !filled) return std::unexpected(filled.error());
  return request;
}

Expected<Request> module_request(const ProgramFlags& flags, const Settings& settings) {
  Request request;
  request.language = Language::wasm;
  auto bytes = read_file(flags.file, kMaxProgram);
  if (!bytes) return std::unexpected(bytes.error());
  request.wasm.emplace().bytes = std::move(*bytes);
  if (auto filled = fill_common(request, flags, settings, true); !filled) return std::unexpected(filled.error());
  request.args.insert(request.args.begin(), fs::path(flags.file).filename().string());
  return request;
}

Expected<Request> argv_request(const ProgramFlags& flags, const Settings& settings) {
  Request request;
  request.engine = EngineWish::docker;
  if (auto filled = fill_common(request, flags, settings, false); !filled) return std::unexpected(filled.error());
  request.argv = std::exchange(request.args, {});
  return request;
}

Expected<Result> run_here(const Request& request, const Settings& settings, OutputSink& sink, const StopToken& stop) {
  LocalEngines engines(settings);
  LocalPackages packages(settings);
  auto options = executor_options(settings, engines, packages);
  if (!options) return std::unexpected(options.error());
  exec::Executor executor(std::move(*options));
  return executor.run(request, &sink, &stop);
}

int run_and_print(Request request, const ProgramFlags& flags, const Settings& settings) {
  auto& stop = stop_on_signals();
  PassThrough sink(!flags.json, flags.file != "-");
  std::optional<Expected<Result>> there;
  if (!flags.embedded) there = run_remotely(request, flags.url, sink, stop);
  const auto ran = there ? std::move(*there) : run_here(request, settings, sink, stop);
  if (!ran) return complain(ran.error());
  const auto& result = *ran;
  const auto& done = result.outcome;
  if (flags.json) {
    put(1, dump(to_json(result)) + "\n");
  } else {
    const auto shown = done.limits.output_bytes.value_or(0);
    put_tail(1, done.out, shown);
    put_tail(2, done.err, shown);
    // What the program could not say itself. An exception has printed its own traceback; a signal shows in the exit
    // status, as it does without us, and is put into words for people only.
    if (done.failure && done.failure->kind != "exception" && (done.failure->kind != "signal" || isatty(2)))
      complain(Error{done.failure->code, done.failure->message, done.failure->hint});
  }
  if (flags.verbose) {
    for (const auto& finding : result.findings)
      std::fprintf(stderr, "hotcell: line %u: %s [%s]\n", finding.line, finding.message.c_str(), finding.rule.c_str());
    std::fprintf(stderr, "hotcell: %s after %.1f ms (%.1f ms CPU, %.1f MiB, %s start, %s)\n",
                 std::string(name_of(done.status)).c_str(), done.usage.wall_seconds * 1e3, done.usage.cpu_seconds * 1e3,
                 static_cast<double>(done.usage.memory_peak_bytes) / 1048576, done.engine.start.c_str(),
                 done.engine.version.c_str());
  }
  if (!flags.out.empty())
    if (auto written = write_files(done, flags.out); !written) return complain(written.error());
  return exit_status_of(done);
}

}  // namespace hotcell::cli
