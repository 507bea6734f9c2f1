#include "cli/engines.h"

#include "cli/rules.h"
#include "docker/api/until.h"
#include "wasi/manifest.h"

namespace hotcell::cli {

namespace fs = std::filesystem;

namespace {
// A daemon that is well answers in a hundredth of that.
constexpr double kProbeSeconds = 5;
}  // namespace

docker::EngineOptions for_one_run(docker::EngineOptions options) {
  options.pool.mode = docker::PoolMode::off;
  options.reuse = docker::Reuse::never;
  options.wait_for_removal = false;
  return options;
}

exec::EngineState LocalEngines::docker_state() {
  exec::EngineState state;
  state.configured = settings_.docker_enabled;
  if (!state.configured) return state;
  auto engine = open(exec::EngineChoice::docker);
  Expected<void> probed;
  if (!engine)
    probed = std::unexpected(engine.error());
  else
    probed = docker_->probe(docker::api::Until::seconds(kProbeSeconds));
  state.up = probed.has_value();
  if (!probed) state.why_down = std::move(probed.error().message);
  return state;
}

exec::Engines LocalEngines::states() {
  using protocol::Language;
  exec::Engines engines;
  engines.docker = [this] { return docker_state(); };
  engines.wasi.configured = true;
  engines.wasi_takes_packages = true;
  const auto folder = settings_.wasi.images.empty() ? wasi::default_images_folder() : settings_.wasi.images;
  std::error_code ignored;
  // Python's is never missing but by mistake, which the engine tells better; so does it whether an image fits.
  engines.wasi_images = {Language::python};
  for (const auto language : {Language::javascript, Language::bash})
    if (fs::exists(folder / protocol::name_of(language) / "manifest.json", ignored))
      engines.wasi_images.push_back(language);
  engines.wasi.up = true;
  return engines;
}

Expected<protocol::Engine*> LocalEngines::open(exec::EngineChoice choice) {
  const std::lock_guard lock(mutex_);
  if (choice == exec::EngineChoice::docker) {
    if (!docker_) {
      auto made = docker::DockerEngine::create(for_one_run(settings_.docker));
      if (!made) return std::unexpected(made.error());
      docker_ = std::move(*made);
    }
    return docker_.get();
  }
  if (!wasi_) {
    auto options = settings_.wasi;
    options.may_leave = settings_.docker_enabled;
    auto made = wasi::WasiEngine::create(std::move(options));
    if (!made) return std::unexpected(made.error());
    wasi_ = std::move(*made);
  }
  return wasi_.get();
}

Expected<exec::ExecutorOptions> executor_options(const Settings& settings, LocalEngines& engines,
                                                 LocalPackages& packages) {
  auto rules = reading_rules(settings);
  if (!rules) return std::unexpected(rules.error());
  exec::ExecutorOptions options;
  options.policy = settings.check_policy;
  options.reading = std::move(*rules);
  options.engines = engines.states();
  options.packages = packages.source();
  options.open = [&engines](exec::EngineChoice choice) { return engines.open(choice); };
  return options;
}

}  // namespace hotcell::cli
