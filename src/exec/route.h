// Which engine runs a program, and why: design.md section 8 as one pure function.
//
// WASI cells answer in microseconds and have the standard library; Docker has everything else. So WASI is the answer
// unless something stands in its way, each such obstacle is one sentence, and the first of them is the reason that the
// caller reads.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "deps/needs.h"
#include "protocol/request.h"
#include "protocol/result.h"

namespace hotcell::exec {

struct EngineState {
  bool configured = false;  // does the operator want it?
  bool up = false;
  std::string why_down;  // "cannot connect to /var/run/docker.sock: No such file or directory"
};

struct Engines {
  EngineState wasi;
  std::vector<protocol::Language> wasi_images;  // languages that the WASI engine has an image for
  bool wasi_takes_packages = false;             // can it be given installed pure packages?
  // Asked at most once a choice, and only where the answer matters: a look at the daemon takes longer than many a
  // program. Empty: there is no such engine.
  std::function<EngineState()> docker = {};
};

// Something that a WASI cell cannot do.
struct Obstacle {
  std::string what;      // "ssl", "threading.Thread", "numpy", "network", "argv"
  std::string sentence;  // "threading.Thread starts a thread (line 3)"
  std::uint32_t line = 0;
  std::string file;
  // True: without it the program cannot do what it is for. False: it may, in a function or a branch, come to it.
  bool certain = false;
};

enum class EngineChoice { none, wasi, docker };

struct Route {
  EngineChoice engine = EngineChoice::none;
  std::string reason;                        // for EngineUsed::chosen_because: half a sentence in plain words
  std::vector<Obstacle> obstacles;           // at most kMostObstacles, the certain ones first
  std::optional<protocol::Failure> failure;  // set exactly when engine is none: engine_unavailable, ready for a result
};

inline constexpr std::size_t kMostObstacles = 20;

// `needs` is nullptr where nothing was read (a module, an argv, checks off with an engine asked for).
Route choose_engine(const protocol::Request& request, const deps::Needs* needs, const Engines& engines);

std::string_view name_of(EngineChoice choice);

// "Docker is not available: cannot connect to …": the end of a sentence.
std::string why_down(const EngineState& state, const char* name);

}  // namespace hotcell::exec
