#include "exec/route.h"

#include <algorithm>
#include <set>

#include "deps/requirement.h"
#include "deps/standard_library.h"

namespace hotcell::exec {

using protocol::EngineWish;
using protocol::Language;
using protocol::Request;

namespace {

std::string spoken(Language language) {
  switch (language) {
    case Language::python:
      return "Python";
    case Language::javascript:
      return "JavaScript";
    case Language::bash:
      return "Bash";
    case Language::wasm:
      return "WebAssembly";
  }
  return {};
}

class Obstacles {
 public:
  void add(std::string what, std::string sentence, const std::string& file, std::uint32_t line, bool certain) {
    if (!seen_.insert(what).second) {
      for (auto& known : found_)
        if (known.what == what) known.certain |= certain;
      return;
    }
    if (found_.size() < 1000)
      found_.push_back({std::move(what), std::move(sentence) + deps::at_place(file, line), line, file, certain});
  }
  std::vector<Obstacle> take() {
    std::vector<Obstacle> ordered;
    for (const bool certain : {true, false})
      for (auto& obstacle : found_)
        if (obstacle.certain == certain && ordered.size() < kMostObstacles) ordered.push_back(std::move(obstacle));
    return ordered;
  }

 private:
  std::vector<Obstacle> found_;
  std::set<std::string> seen_;
};

// Fields of a request that only containers can honour.
void look_at_request(const Request& request, const Engines& engines, Obstacles& obstacles) {
  const auto add = [&](const char* field, const char* why) {
    obstacles.add(field, std::string(field) + ": " + why, "", 0, true);
  };
  if (request.argv) add("argv", "a WASI cell has no other programs to start");
  if (request.network.mode != protocol::NetworkMode::none) add("network", "a WASI cell has no network");
  if (request.image) add("image", "container images are Docker's");
  if (request.limits.cpus) add("limits.cpus", "a WASI cell has one CPU");
  if (request.limits.pids) add("limits.pids", "a WASI cell is one process");
  const auto& images = engines.wasi_images;
  if (request.language != Language::wasm && std::find(images.begin(), images.end(), request.language) == images.end())
    obstacles.add("language", "there is no WASI image for " + spoken(request.language), "", 0, true);
}

// The hardest obstacle first: it is the one that the caller reads.
void look_at_packages(const deps::Needs& needs, const Engines& engines, Obstacles& obstacles) {
  for (const auto& need : needs.packages)
    if (!need.optional && need.nature == deps::Nature::native)
      obstacles.add(need.package, need.package + " has compiled code", need.file, need.line, need.at_once);
  for (const auto& need : needs.packages)
    if (!need.optional && need.network)
      obstacles.add(need.package, need.package + " uses the network", need.file, need.line, need.at_once);
  for (const auto& need : needs.packages) {
    if (need.optional) continue;
    if (!engines.wasi_takes_packages) {
      // What nobody knows may be a module that the program itself makes, or a slip; its own error says it best.
      obstacles.add(need.package, need.package + " is a package, and WASI cells are given none", need.file, need.line,
                    need.known && need.at_once);
    } else if (need.nature == deps::Nature::unknown) {
      obstacles.add(need.package, need.package + " may have compiled code", need.file, need.line, false);
    }
  }
}

void look_at_names(Language language, const deps::Needs& needs, Obstacles& obstacles) {
  const bool no_packages = needs.source == "off";
  for (const auto& import : needs.report.imports) {
    if (import.local || import.relative || !import.required() || import.fallback) continue;
    const bool certain = !import.conditional && !import.deferred;
    if (import.standard) {
      if (const auto lack = deps::wasi_lacks(language, import.module))
        obstacles.add(std::string(lack->name), lack->sentence(), import.file, import.line, certain);
    } else if (no_packages) {
      // Nothing is installed, but a container's own image may have it.
      obstacles.add(import.module, deps::quoted(import.module) + " is not in the standard library", import.file,
                    import.line, false);
    }
  }
  for (const auto& use : needs.report.uses) {
    if (use.unreachable) continue;
    if (const auto lack = deps::wasi_lacks(language, use.name))
      obstacles.add(std::string(lack->name), lack->sentence(), use.file, use.line,
                    !use.guarded && !use.conditional && !use.deferred);
  }
}

// What only WASI cells have.
std::string wasi_only(const Request& request) {
  if (request.language == Language::wasm || request.wasm) return "WebAssembly modules run in WASI cells";
  if (request.deterministic) return "deterministic runs are WASI's";
  if (request.limits.fuel) return "fuel is counted in WASI cells only";
  return {};
}

EngineState state_of_docker(const Engines& engines) { return engines.docker ? engines.docker() : EngineState(); }

Route refuse(std::vector<Obstacle> obstacles, std::string message, std::string hint, bool retryable) {
  Route route;
  route.obstacles = std::move(obstacles);
  route.reason = message;
  protocol::Failure failure;
  failure.code = "engine_unavailable";
  failure.kind = "rejected";
  failure.message = std::move(message);
  failure.hint = std::move(hint);
  failure.retryable = retryable;
  if (!route.obstacles.empty() && route.obstacles.front().line != 0 && route.obstacles.front().file.empty())
    failure.line = route.obstacles.front().line;
  route.failure = std::move(failure);
  return route;
}

Route take(EngineChoice engine, std::string reason, std::vector<Obstacle> obstacles = {}) {
  Route route;
  route.engine = engine;
  route.reason = std::move(reason);
  route.obstacles = std::move(obstacles);
  return route;
}

std::string why_wasi(const Request& request, const deps::Needs* needs) {
  if (needs == nullptr) return "nothing in the request needs Docker";
  if (!needs->packages.empty() &&
      std::any_of(needs->packages.begin(), needs->packages.end(), [](const auto& need) { return !need.optional; }))
    return "only the standard library and pure packages are used";
  if (request.language == Language::bash) return "there is a WASI image for Bash";
  return needs->report.imports.empty() ? "nothing is imported" : "only the standard library is used";
}

}  // namespace

std::string_view name_of(EngineChoice choice) {
  return choice == EngineChoice::wasi ? "wasi" : choice == EngineChoice::docker ? "docker" : "none";
}

std::string why_down(const EngineState& state, const char* name) {
  if (!state.configured) return std::string(name) + " is not configured";
  return std::string(name) + " is not available" + (state.why_down.empty() ? "" : ": " + state.why_down);
}

Route choose_engine(const Request& request, const deps::Needs* needs, const Engines& engines) {
  Obstacles found;
  look_at_request(request, engines, found);
  if (needs != nullptr) {
    look_at_packages(*needs, engines, found);
    look_at_names(request.language, *needs, found);
  }
  auto obstacles = found.take();
  const auto only_wasi = wasi_only(request);

  if (request.engine == EngineWish::docker) {
    if (!only_wasi.empty())
      return refuse({}, "engine docker was asked for, but " + only_wasi, "use engine wasi or auto", false);
    const auto docker = state_of_docker(engines);
    if (docker.up) return take(EngineChoice::docker, "asked for");
    return refuse({}, "engine docker was asked for, but " + why_down(docker, "Docker"),
                  "start Docker, set DOCKER_HOST, or use engine auto", docker.configured);
  }
  const bool image_missing = std::any_of(obstacles.begin(), obstacles.end(),
                                         [](const Obstacle& obstacle) { return obstacle.what == "language"; });
  if (request.engine == EngineWish::wasi || !only_wasi.empty()) {
    const auto because = request.engine == EngineWish::wasi ? std::string("asked for") : only_wasi;
    if (!engines.wasi.up)
      return refuse({}, "engine wasi is needed (" + because + "), but " + why_down(engines.wasi, "the WASI engine"),
                    "make its images: hotcell images bake, or scripts/build --images in the sources",
                    engines.wasi.configured);
    if (image_missing)
      return refuse(std::move(obstacles), "there is no WASI image for " + spoken(request.language),
                    "use engine docker or auto", false);
    // An explicit wish is not second-guessed: what the cell has not, the program's own error will say.
    return take(EngineChoice::wasi, because, std::move(obstacles));
  }

  const bool wasi_can = obstacles.empty() && engines.wasi.up;
  if (wasi_can && request.language != Language::bash) return take(EngineChoice::wasi, why_wasi(request, needs));
  const auto docker = state_of_docker(engines);
  if (docker.up && request.language == Language::bash)
    return take(EngineChoice::docker, "Bash runs in Docker where there is one", std::move(obstacles));
  if (wasi_can) return take(EngineChoice::wasi, why_wasi(request, needs));
  if (docker.up) {
    auto reason = obstacles.empty() ? why_down(engines.wasi, "the WASI engine") : obstacles.front().sentence;
    return take(EngineChoice::docker, std::move(reason), std::move(obstacles));
  }
  const auto no_docker = why_down(docker, "Docker");
  if (!engines.wasi.up)
    return refuse(std::move(obstacles),
                  "no engine can run this: " + no_docker + "; " + why_down(engines.wasi, "the WASI engine"),
                  "see hotcell images, and start Docker", docker.configured || engines.wasi.configured);
  if (obstacles.front().certain) {
    auto message = obstacles.front().sentence + ": only Docker can run that, and " + no_docker;
    return refuse(std::move(obstacles), std::move(message), "do without it, or make Docker available",
                  docker.configured);
  }
  auto reason = no_docker + "; " + obstacles.front().sentence + " would fail, if the program comes to it";
  return take(EngineChoice::wasi, std::move(reason), std::move(obstacles));
}

}  // namespace hotcell::exec
