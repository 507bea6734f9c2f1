// What became of a program: the one schema that every engine fills and every door prints (api.md B4).
#pragma once
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/request.h"

namespace hotcell::protocol {

// The fate of the program, one of seven.
enum class Status { completed, failed, timeout, limit_exceeded, rejected, cancelled, sandbox_error };
std::string_view name_of(Status status);

// Why it did not complete. `code` is stable and made to be matched on; `message` is a plain sentence.
struct Failure {
  std::string code;  // exception, exit, signal, timeout, cpu_limit, memory_limit, output_limit, process_limit,
                     // disk_limit, fuel_limit, stack_limit, result_limit, validation_failed, dependency_failed,
                     // engine_unavailable, worker_lost, cancelled, …
  std::string kind;  // exception, signal, timeout, limit, rejected, dependency, cancelled, sandbox
  std::string name;  // "ValueError", "SIGABRT"; may be empty
  std::string message;
  std::string traceback;
  std::optional<std::uint32_t> line;  // in the program itself
  std::string limit;                  // which limit, for kind "limit": memory, cpu, fuel, stack, disk, output, result
  std::string hint;
  bool retryable = false;
};

// One output stream: what was kept of it, and how much there was.
struct Output {
  std::string bytes;        // head, and when truncated: a line that says how much is missing, and the tail
  std::uint64_t total = 0;  // bytes that the program wrote
  bool truncated = false;
};

enum class Change { created, modified, deleted };
struct OutputFile {
  std::string path;  // relative to /workspace, or absolute when it is elsewhere
  Change change = Change::created;
  std::uint64_t size = 0;
  std::string content;            // empty when deleted, or left out
  bool content_left_out = false;  // over collect.inline_bytes or limits.files_bytes
  std::string sha256;             // of content that is kept elsewhere; empty: of `content`
  std::string url;                // where a door that keeps it hands it out
};

struct Value {  // a displayed or returned value, as a mime bundle
  bool main = false;
  std::map<std::string, std::string> data;
};

struct Finding {
  std::string rule, severity, message, suggestion;
  std::uint32_t line = 0, column = 0;
};

struct Usage {
  double queue_seconds = 0, setup_seconds = 0, install_seconds = 0, wall_seconds = 0, cpu_seconds = 0;
  std::uint64_t memory_peak_bytes = 0;
  std::optional<std::uint64_t> fuel;
};

struct EngineUsed {
  std::string name, version, image, start, chosen_because;  // start: cold, warm, fork
};

// Filled by an engine: the program's fate and what it left.
struct Outcome {
  // Not on the wire. What the program asked for and no cell of this engine can do ("threads", "sockets"), as the engine
  // itself has seen it, never as the program said. `left`: the run was ended for that before anything of it was shown
  // or any input of the caller's was read, so that it may be run elsewhere as if it had never begun.
  std::string beyond;
  bool left = false;

  Status status = Status::completed;
  std::optional<int> exit_code;
  std::optional<std::string> signal;
  Output out, err;
  std::vector<Value> results;
  std::optional<Failure> failure;
  std::vector<OutputFile> files;
  Usage usage;
  EngineUsed engine;
  Limits limits;  // the effective ones
};

// An Outcome with what only the door knows: identity and time.
struct Result {
  std::string id;  // exe_…
  std::optional<std::string> session_id;
  Outcome outcome;
  std::string verdict = "clean";  // of the checks: clean, warned, refused
  std::vector<Finding> findings;
  std::vector<std::pair<std::string, std::string>> installed;
  std::string dependency_cache = "none";  // hit, miss, none
  std::uint64_t execution_count = 1;
  std::chrono::system_clock::time_point created_at, finished_at;
  std::map<std::string, std::string> metadata;
};

// "exe_" and 128 random bits.
std::string new_execution_id();

// The exit status of `hotcell run` for this fate: the program's own; 124 timeout, 130 cancelled, 137 a limit, 128+n a
// signal, 125 when hotcell refused or failed.
int exit_status_of(const Outcome& outcome);

}  // namespace hotcell::protocol
