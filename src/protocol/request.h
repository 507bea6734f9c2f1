// What a caller wants run. One shape for every door (CLI, library, HTTP, MCP) and every engine.
//
// A Request that comes out of request_from_json() or a door's own parser is syntactically sound; whether an engine can
// honour each field is the engine's to say ("unsupported_by_engine"), never to ignore.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hotcell::protocol {

enum class Language { python, javascript, bash, wasm };
enum class EngineWish { any, docker, wasi };
enum class Mode { automatic, script, cell };
enum class Checks { off, warn, enforce };
enum class NetworkMode { none, allowlist, open };

// Maps aliases (py, python3, js, node, nodejs, sh, shell) too. nullopt: unknown.
std::optional<Language> language_from_name(std::string_view name);
std::string_view name_of(Language language);

struct Limits {
  std::optional<std::uint64_t> memory_bytes;
  std::optional<double> cpu_seconds;
  std::optional<double> cpus;
  std::optional<std::uint64_t> pids;
  std::optional<std::uint64_t> disk_bytes;
  std::optional<std::uint64_t> output_bytes;  // per stream
  std::optional<std::uint64_t> result_bytes;  // error text and values
  std::optional<std::uint64_t> files_bytes;   // files given back
  std::optional<std::uint64_t> fuel;
};

struct Network {
  NetworkMode mode = NetworkMode::none;
  std::vector<std::string> allow;  // "host:port"
};

enum class DependencyMode { automatic, none, explicit_list };
struct Dependencies {
  DependencyMode mode = DependencyMode::automatic;
  std::vector<std::string> packages;
};

struct InputFile {
  std::string path;  // relative to /workspace, or absolute in the cell
  std::string content;
  std::optional<std::string> sha256;  // instead of content: a blob uploaded earlier
  std::optional<std::uint32_t> mode;
  bool directory = false;  // an empty directory (the CLI's --dir); not on the wire
};

struct Collect {
  std::vector<std::string> paths;  // globs, relative to /workspace
  bool changed = true;
  std::uint64_t inline_bytes = 65536;
  std::uint32_t max_files = 64;
};

// A WebAssembly module, exactly one of the three.
struct WasmModule {
  std::string bytes;
  std::optional<std::string> blob;
  std::optional<std::string> name;
};

struct CaseInput {  // one of `inputs`: the same program, another stdin
  std::optional<std::string> stdin_bytes;
  std::optional<std::vector<std::string>> args;
  std::optional<std::string> expected_stdout;
};

struct Deterministic {
  std::optional<std::uint64_t> seed;
  std::optional<double> time;  // seconds since the epoch at which the clock starts
};

// Packages that are ready for a program. Whoever prepares its run finds them; never on the wire.
struct ReadyPackages {
  std::string folder;  // of entries, on this machine: cells are shown it whole, and cannot list it
  std::string entry;   // the program's own, by its name there; the packages are in `entry`/content
};

struct Request {
  Language language = Language::python;
  // Exactly one of code, argv and wasm.
  std::optional<std::string> code;
  std::optional<std::vector<std::string>> argv;
  std::optional<WasmModule> wasm;

  Mode mode = Mode::automatic;
  std::optional<std::string> session_id;
  bool create_session = false;  // if_no_session: "create"
  bool fail_when_busy = false;  // if_busy: "error"
  EngineWish engine = EngineWish::any;

  std::optional<std::string> stdin_bytes;  // from stdin or stdin_base64
  std::vector<std::string> args;
  std::vector<std::pair<std::string, std::string>> env;
  std::optional<std::string> cwd;

  double timeout_seconds = 30;
  std::optional<double> deadline_seconds;
  Limits limits;
  Network network;
  Dependencies dependencies;
  std::optional<ReadyPackages> packages;  // what `dependencies` led to; not on the wire
  std::optional<std::string> image;
  std::vector<CaseInput> inputs;
  std::vector<InputFile> files;
  Collect collect;
  Checks checks = Checks::warn;
  std::optional<Deterministic> deterministic;
  std::vector<std::string> include;
  bool detach = false;
  std::map<std::string, std::string> metadata;
};

}  // namespace hotcell::protocol
