#include "cli/service_backend.h"

#include <poll.h>

#include "cli/rules.h"
#include "docker/api/until.h"
#include "wasi/manifest.h"

namespace hotcell::cli {

using namespace protocol;
namespace fs = std::filesystem;

namespace {

constexpr double kProbeSeconds = 5;
constexpr int kProbeEveryMs = 3000;

std::vector<std::string> aliases_of(Language language) {
  switch (language) {
    case Language::python:
      return {"py", "python3"};
    case Language::javascript:
      return {"js", "node", "nodejs"};
    case Language::bash:
      return {"sh", "shell"};
    case Language::wasm:
      break;
  }
  return {};
}

}  // namespace

// Tells the listener that the program begins, and how, as far as that is known before; an engine that says so itself is
// only the first to say it.
struct ServiceBackend::Announcing final : Engine {
  Announcing(Engine& given, std::function<std::string_view()> how) : engine(given), start(std::move(how)) {}
  std::string_view name() const override { return engine.name(); }
  Expected<Outcome> run(const Request& request, OutputSink* sink, const StopToken* stop) override {
    if (sink) sink->started(engine.name(), start());
    return engine.run(request, sink, stop);
  }
  Engine& engine;
  const std::function<std::string_view()> start;
};

ServiceBackend::ServiceBackend(const Settings& settings, server::Log& log)
    : settings_(settings), log_(log), packages_(settings) {}

ServiceBackend::~ServiceBackend() { stop_checking(); }

void ServiceBackend::stop_checking() {
  stopping_.stop();
  if (watcher_.joinable()) watcher_.join();
}

Expected<std::unique_ptr<ServiceBackend>> ServiceBackend::create(const Settings& settings, unsigned warm_cells,
                                                                 server::Log& log) {
  std::unique_ptr<ServiceBackend> backend(new ServiceBackend(settings, log));
  auto& self = *backend;
  self.warm_cells_ = warm_cells;
  auto wasi_options = settings.wasi;
  wasi_options.pin_images = true;
  wasi_options.may_leave = settings.docker_enabled;
  wasi_options.keep_idle = std::max(wasi_options.keep_idle, warm_cells);
  auto wasi = wasi::WasiEngine::create(std::move(wasi_options));
  if (!wasi) return std::unexpected(wasi.error());
  self.wasi_ = std::move(*wasi);
  const auto wasi_start = [engine = self.wasi_.get()] { return engine->counts().idle > 0 ? "warm" : "cold"; };
  self.announcing_wasi_ = std::make_unique<Announcing>(*self.wasi_, wasi_start);
  if (settings.docker_enabled) {
    auto docker_options = settings.docker;
    // Its cells know one tenant, the service has many: what one has left must never be another's to find.
    docker_options.reuse = docker::Reuse::never;
    // Opened now, so that every cell that waits is shown what will be installed later.
    if (auto cache = self.packages_.cache())
      docker_options.packages = (*cache)->mount("");
    else
      log.warn("no packages can be given to programs", {{"why", cache.error().message}});
    if (auto docker = docker::DockerEngine::create(std::move(docker_options))) {
      self.docker_ = std::move(*docker);
      // Whether one of its cells suits a request it only knows when it has looked.
      self.announcing_docker_ = std::make_unique<Announcing>(*self.docker_, [] { return ""; });
    } else {
      self.docker_state_.why_down = docker.error().message;
    }
  }

  exec::ExecutorOptions options;
  auto rules = reading_rules(settings);
  if (!rules) return std::unexpected(rules.error());
  options.reading = std::move(*rules);
  options.policy = settings.check_policy;
  options.packages = self.packages_.source();
  options.engines.wasi_takes_packages = true;
  options.engines.wasi.configured = options.engines.wasi.up = true;
  const auto images = settings.wasi.images.empty() ? wasi::default_images_folder() : settings.wasi.images;
  for (const auto language : {Language::python, Language::javascript, Language::bash}) {
    const auto manifest = wasi::Manifest::load(images / name_of(language));
    if (!manifest) continue;
    options.engines.wasi_images.push_back(language);
    self.wasi_languages_.push_back({std::string(name_of(language)), aliases_of(language), manifest->version, 0});
  }
  self.wasi_languages_.push_back({"wasm", {}, "WASI preview 1", 0});
  // What the watcher has seen lately is soon enough, and costs a request nothing.
  options.engines.docker = [&self] {
    const std::lock_guard lock(self.mutex_);
    return exec::EngineState{self.docker_ != nullptr, self.docker_state_.up, self.docker_state_.why_down};
  };
  options.open = [&self](exec::EngineChoice choice) { return self.open(choice); };
  self.executor_ = std::make_unique<exec::Executor>(std::move(options));
  return backend;
}

Expected<Engine*> ServiceBackend::open(exec::EngineChoice choice) {
  if (choice == exec::EngineChoice::wasi) return announcing_wasi_.get();
  if (choice == exec::EngineChoice::docker && announcing_docker_) return announcing_docker_.get();
  return fail("engine_unavailable", "there is no such engine here");
}

Expected<Result> ServiceBackend::run(const Request& request, OutputSink* sink, const StopToken* stop) {
  return executor_->run(request, sink, stop);
}

void ServiceBackend::check_engines(std::function<void()> done) {
  watcher_ = std::thread([this, done = std::move(done)] { watch(done); });
}

void ServiceBackend::resize(const docker::PoolOptions& sizes) {
  if (docker_) docker_->resize(sizes);
}

void ServiceBackend::watch(std::function<void()> done) {
  remember(wasi_state_, try_wasi(), "wasi");
  if (docker_) remember(docker_state_, probe_docker(), "docker");
  done();
  while (!stopping_.stopped()) {
    pollfd wait{stopping_.fd(), POLLIN, 0};
    poll(&wait, 1, kProbeEveryMs);
    if (!stopping_.stopped() && docker_) remember(docker_state_, probe_docker(), "docker");
  }
}

void ServiceBackend::remember(Watched& of, Watched found, const char* name) {
  bool changed = false;
  {
    const std::lock_guard lock(mutex_);
    changed = of.up != found.up || of.why_down != found.why_down;
    of = found;
  }
  if (!changed) return;
  if (found.up)
    log_.info("an engine is ready", {{"engine", name}});
  else
    log_.warn("an engine is not available", {{"engine", name}, {"why", found.why_down}});
}

// The cells that the first programs will find, and one program whose answer is known.
ServiceBackend::Watched ServiceBackend::try_wasi() {
  if (wasi_languages_.size() < 2) return {false, "there are no images"};
  for (const auto& language : wasi_languages_)
    if (language.name != "wasm")
      if (auto warm = wasi_->warm(language.name, warm_cells_); !warm) return {false, warm.error().message};
  Request request;
  request.code = "import os\ntry:\n  open('/etc/passwd')\nexcept OSError:\n  print(6 * 7)\n";
  auto outcome = wasi_->run(request, nullptr, nullptr);
  if (!outcome) return {false, outcome.error().message};
  if (outcome->out.bytes != "42\n") return {false, "its self-check gave the wrong answer"};
  return {true, {}};
}

ServiceBackend::Watched ServiceBackend::probe_docker() {
  const auto probed = docker_->probe(docker::api::Until::seconds(kProbeSeconds));
  return probed ? Watched{true, {}} : Watched{false, probed.error().message};
}

std::vector<server::EngineFacts> ServiceBackend::engines() {
  std::vector<server::EngineFacts> out;
  const std::lock_guard lock(mutex_);
  const auto& options = settings_.wasi;
  server::EngineFacts wasi;
  wasi.name = "wasi";
  wasi.version = std::string("wasmtime ") + wasi::compiled_by();
  wasi.ready = wasi_state_.up;
  wasi.why_not = wasi_state_.why_down;
  wasi.languages = wasi_languages_;
  const auto workers = wasi_->counts();
  if (!wasi.languages.empty()) wasi.languages.front().warm = workers.idle;
  wasi.cells = {{"ready", workers.idle},
                {"busy", workers.busy},
                {"started", workers.workers_started},
                {"lost", workers.workers_lost}};
  auto& standard = wasi.standard;
  auto& most = wasi.most;
  standard.memory_bytes = options.memory_bytes, most.memory_bytes = options.max_memory_bytes;
  standard.disk_bytes = options.disk_bytes, most.disk_bytes = options.max_disk_bytes;
  standard.output_bytes = options.output_bytes, most.output_bytes = options.max_output_bytes;
  standard.result_bytes = options.result_bytes, most.result_bytes = options.max_result_bytes;
  standard.files_bytes = most.files_bytes = options.files_bytes;
  wasi.features = {{"streaming", true}, {"stdin", true},         {"files", true},
                   {"fuel", true},      {"deterministic", true}, {"network", false},
                   {"packages", true},  {"processes", false},    {"sessions", false}};
  wasi.isolation = {{"boundary", "WebAssembly in a jailed process"}, {"network", "none"}};
  out.push_back(std::move(wasi));
  if (!settings_.docker_enabled) return out;
  server::EngineFacts docker;
  docker.name = "docker";
  docker.ready = docker_state_.up;
  docker.why_not = docker_state_.why_down;
  const auto cells = docker_ ? docker_->counts() : docker::Pool::Counts{};
  const unsigned ready = cells.ready;
  docker.cells = {{"ready", cells.ready},       {"busy", cells.busy},    {"making", cells.making},
                  {"cleaning", cells.cleaning}, {"made", cells.made},    {"failed", cells.failed},
                  {"missed", cells.missed},     {"reused", cells.reused}};
  if (docker_) {
    const auto troubles = docker_->troubles();
    docker.proofs_failed = troubles.proofs_failed, docker.removals_failed = troubles.removals_failed;
  }
  for (const auto language : {Language::python, Language::javascript, Language::bash})
    docker.languages.push_back({std::string(name_of(language)), aliases_of(language), "", ready});
  docker.features = {{"streaming", true}, {"stdin", true},          {"files", true},
                     {"fuel", false},     {"deterministic", false}, {"network", true},
                     {"packages", true},  {"processes", true},      {"sessions", false}};
  docker.isolation = {{"boundary", "a locked-down container"}};
  out.push_back(std::move(docker));
  return out;
}

}  // namespace hotcell::cli
