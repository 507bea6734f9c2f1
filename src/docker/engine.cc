#include "docker/engine.h"

#include <algorithm>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <thread>

#include "base/file.h"
#include "docker/ground.h"
#include "docker/images.h"
#include "docker/order.h"
#include "docker/outcome.h"
#include "docker/resident.h"
#include "docker/run.h"
#include "protocol/failures.h"

namespace hotcell::docker {
namespace {

using namespace protocol;
namespace fs = std::filesystem;

constexpr double kLongestRun = 86400;
// How long a request may wait for a cell beyond its own timeout, unless it says.
constexpr double kQueueAllowance = 30;
constexpr std::chrono::seconds kSweepEvery{60}, kImagesEvery{10};
constexpr double kSweepSeconds = 30, kLastSweepSeconds = 5;
constexpr double kDrainSeconds = 10;
constexpr double kAdjustSeconds = 10;
constexpr double kLastWordsSeconds = 2;             // for the daemon to notice that a container is over
constexpr std::uint64_t kLeastMemory = 8ull << 20;  // what runc and the agent need to get as far as a program
constexpr std::uint64_t kLeastPids = 4;

std::unexpected<Error> unsupported(const std::string& field, const std::string& why, const std::string& hint = {}) {
  return fail("unsupported_by_engine", "the docker engine cannot honour \"" + field + "\": " + why, hint);
}

// A field that this engine cannot honour is refused, never ignored.
Expected<void> check_supported(const Request& request, const EngineOptions& options) {
  const auto possible = [](double seconds) { return seconds > 0 && seconds <= kLongestRun; };  // no NaN either
  if (!possible(request.timeout_seconds))
    return fail("invalid_field", "timeout_seconds must be above 0 and at most 86400");
  if (request.limits.cpu_seconds && !possible(*request.limits.cpu_seconds))
    return fail("invalid_field", "limits.cpu_seconds must be above 0 and at most 86400");
  if (request.wasm || request.language == Language::wasm)
    return unsupported("wasm", "WebAssembly modules run in WASI cells", "use engine wasi or auto");
  if (!request.code && !request.argv) return fail("invalid_field", "there is no program in the request");
  if (request.deterministic)
    return unsupported("deterministic", "its clocks and randomness are the kernel's", "use engine wasi");
  if (request.limits.fuel)
    return unsupported("limits.fuel", "it does not count instructions", "use limits.cpu_seconds");
  if (request.session_id) return unsupported("session_id", "sessions are not there yet");
  if (request.mode == Mode::cell) return unsupported("mode", "cells belong to sessions, which are not there yet");
  if (!request.dependencies.packages.empty() && !request.packages)
    return unsupported("dependencies", "nobody installs packages here", "use an image that has them");
  if (!request.inputs.empty()) return unsupported("inputs", "send one request for each input");
  if (request.network.mode == NetworkMode::allowlist)
    return unsupported("network", "the mode allowlist is not there yet", "use network.mode none or open");
  if (request.network.mode == NetworkMode::open && !options.allow_network)
    return fail("forbidden", "programs may not use the network here", "the operator can set docker.network to true");
  for (const auto& file : request.files)
    if (file.sha256) return unsupported("files", "uploads by hash are not there yet; send the content");
  return {};
}

std::string text(std::uint64_t value) { return std::to_string(value); }
std::string text(double value) {
  char out[32];
  std::snprintf(out, sizeof out, "%g", value);
  return out;
}

template <class T>
Expected<T> effective(const char* field, std::optional<T> asked, T standard, T most, T least = 0) {
  if (!asked) return std::min(standard, most);
  const auto name = std::string("limits.") + field + " is " + text(*asked);
  if (!(*asked <= most)) return fail("limit_above_maximum", name + ", the most allowed is " + text(most));
  if (*asked < least) return fail("invalid_field", name + ", and a cell needs at least " + text(least));
  return *asked;
}

// As the daemon wants it, without links. Empty where it is not there: a mount of that would keep a cell from starting.
std::string packages_folder(const fs::path& folder) {
  std::error_code none;
  const auto real = fs::canonical(folder, none);
  return none ? std::string() : real.string();
}

// The daemon's own words stay in the sentence; the code is one that callers know.
Error for_callers(Error error) {
  if (error.code.starts_with("docker_") || error.code == "proof_failed" || error.code == "no_interpreter")
    error.code = "engine_unavailable";
  if (error.code == "cell_ended" || error.code == "protocol" || error.code == "not_clean") error.code = "internal";
  return error;
}

}  // namespace

struct DockerEngine::State {
  State(EngineOptions given, Ground ground);
  ~State();

  Expected<void> remove(const std::string& name, Deadline deadline);
  Expected<protocol::Limits> limits_of(const Request& request, const Daemon& daemon) const;
  Expected<CellClass> class_of(const Request& request, std::uint64_t disk_bytes, const Daemon& daemon,
                               api::Until until);
  Expected<Swept> sweep(api::Client& client, api::Until until);
  bool ran_out_of_memory(const Cell& ended, api::Client& client);
  void keep_house();  // the thread

  const EngineOptions options;
  const Home home;
  const Owner owner;
  StopToken ending;  // ends what goes on in the background
  Remover remover;
  CellMaker maker;
  Images images;
  std::optional<Pool> pool;

  std::mutex house_mutex;
  std::condition_variable house_wanted;
  bool house_closed = false;
  std::thread house;
};

DockerEngine::State::State(EngineOptions given, Ground ground)
    : options(std::move(given)),
      home(std::move(ground.home)),
      owner(std::move(ground.owner)),
      remover([this](const std::string& name, Deadline deadline) { return remove(name, deadline); }),
      maker(std::move(ground.make), remover) {
  pool.emplace(
      CellSource{[this](const CellClass& kind, bool warm, api::Until until) { return maker.make(kind, warm, until); },
                 [this](Cell& cell, bool warm, api::Until until) { return maker.clean(cell, warm, until); },
                 [this](Cell& cell, api::Until until) { return maker.check(cell, until); }},
      options.pool);
  house = std::thread(&State::keep_house, this);
}

// The order matters: no new cells, then no cells, then nothing left of them.
DockerEngine::State::~State() {
  {
    const std::lock_guard lock(house_mutex);
    house_closed = true;
  }
  house_wanted.notify_all();
  pool.reset();
  // A network can only go when nothing is in it any more; else it is for the next one who sweeps.
  const bool network = maker.has_network();
  if (options.wait_for_removal || network) remover.drain(Deadline::after_seconds(kDrainSeconds));
  if (network) (void)maker.remove_network(api::Until::seconds(kDrainSeconds));
  ending.stop();
  remover.close();  // it asks the maker for the daemon, which goes before it
  house.join();
}

Expected<void> DockerEngine::State::remove(const std::string& name, Deadline deadline) {
  const api::Until until(deadline, ending.fd());
  auto daemon = maker.daemon(until);
  if (!daemon) return std::unexpected(daemon.error());
  return (*daemon)->client->remove(name, until);
}

Expected<Swept> DockerEngine::State::sweep(api::Client& client, api::Until until) {
  SweepOptions how;
  how.self = owner.id();
  how.in_use = [this](const std::string& name) { return remover.knows(name); };
  return docker::sweep(client, home, how, until);
}

void DockerEngine::State::keep_house() {
  auto next_sweep = Deadline::Clock::now();
  // Where somebody has died, the daemon may still be making what he asked for: that is looked for at our end, too.
  bool more_may_come = false;
  std::unique_lock lock(house_mutex);
  while (!house_closed) {
    lock.unlock();
    const auto until = api::Until::seconds(kSweepSeconds, ending.fd());
    // A daemon that does not answer is nothing to report here: whoever wants a program run is told.
    if (auto daemon = maker.daemon(until)) {
      auto& client = *(*daemon)->client;
      if (Deadline::Clock::now() >= next_sweep) {
        const auto swept = sweep(client, until);
        more_may_come = swept && swept->containers > 0;
        next_sweep = Deadline::Clock::now() + kSweepEvery;
      }
      images.refresh(client, until);
    }
    lock.lock();
    house_wanted.wait_for(lock, kImagesEvery, [&] { return house_closed; });
  }
  lock.unlock();
  if (!more_may_come) return;
  const auto until = api::Until::seconds(kLastSweepSeconds);
  if (auto daemon = maker.daemon(until)) (void)sweep(*(*daemon)->client, until);
}

Expected<protocol::Limits> DockerEngine::State::limits_of(const Request& request, const Daemon& daemon) const {
  protocol::Limits out;
  const auto& asked = request.limits;
  const double most_cpus =
      options.max_cpus > 0 ? options.max_cpus : std::max<double>(1, static_cast<double>(daemon.info.cpus));
  auto memory =
      effective("memory_bytes", asked.memory_bytes, options.memory_bytes, options.max_memory_bytes, kLeastMemory);
  auto disk =
      effective("disk_bytes", asked.disk_bytes, options.disk_bytes, options.max_disk_bytes, std::uint64_t{4096});
  auto output = effective("output_bytes", asked.output_bytes, options.output_bytes, options.max_output_bytes);
  auto result = effective("result_bytes", asked.result_bytes, options.result_bytes, options.max_result_bytes);
  auto files = effective("files_bytes", asked.files_bytes, options.files_bytes, options.files_bytes);
  auto pids = effective("pids", asked.pids, options.pids, options.max_pids, kLeastPids);
  for (const auto* one : {&memory, &disk, &output, &result, &files, &pids})
    if (!*one) return std::unexpected(one->error());
  auto cpus = effective("cpus", asked.cpus, options.cpus, most_cpus, 0.01);
  if (!cpus) return std::unexpected(cpus.error());
  // The kernel counts both in pages.
  out.memory_bytes = *memory / 4096 * 4096;
  out.disk_bytes = *disk / 4096 * 4096;
  out.output_bytes = *output;
  out.result_bytes = *result;
  out.files_bytes = *files;
  out.pids = *pids;
  out.cpus = *cpus;
  out.cpu_seconds = asked.cpu_seconds;
  return out;
}

Expected<CellClass> DockerEngine::State::class_of(const Request& request, std::uint64_t disk_bytes,
                                                  const Daemon& daemon, api::Until until) {
  CellClass kind;
  const auto& image = request.image ? *request.image : options.image;
  const auto& allowed = options.allowed_images;
  if (image != options.image && std::find(allowed.begin(), allowed.end(), image) == allowed.end())
    return fail("forbidden", "the image " + image + " is not allowed here",
                "the operator can add it to docker.allowed_images");
  auto id = images.id_of(image, *daemon.client, until);
  if (!id) return std::unexpected(id.error());
  kind.image = std::move(*id);
  kind.language = language_of(request);
  kind.disk_bytes = disk_bytes;
  kind.packages = packages_folder(request.packages ? fs::path(request.packages->folder) : options.packages);
  if (request.packages && kind.packages.empty())
    return fail("internal", "the installed packages in " + request.packages->folder + " are gone");
  if (request.network.mode == NetworkMode::open) {
    auto network = maker.network(until);
    if (!network) return std::unexpected(network.error());
    kind.network = std::move(*network);
  }
  return kind;
}

// The kernel spares the agent as long as there is anything else to kill. What has filled the memory with files is not:
// then the end of the cell is the program's own doing.
bool DockerEngine::State::ran_out_of_memory(const Cell& ended, api::Client& client) {
  const auto until = api::Until::seconds(kLastWordsSeconds);
  if (!client.wait(ended.name(), api::WaitFor::not_running, until)) return false;
  const auto container = client.inspect(ended.name(), until);
  return container && container->oom_killed;
}

// ---- The door ----

DockerEngine::DockerEngine(std::unique_ptr<State> state) : state_(std::move(state)) {}
DockerEngine::~DockerEngine() = default;

Expected<std::unique_ptr<DockerEngine>> DockerEngine::create(EngineOptions options) {
  auto ground = Ground::lay({options.docker_host, options.runtime, options.agent, options.seccomp, options.state});
  if (!ground) return std::unexpected(ground.error());
  auto& make = ground->make;
  make.uids = options.uids;
  make.limits = {options.memory_bytes / 4096 * 4096, options.cpus, options.pids};
  make.warm_modules = options.warm_modules;
  return std::unique_ptr<DockerEngine>(
      new DockerEngine(std::make_unique<State>(std::move(options), std::move(*ground))));
}

Expected<Outcome> DockerEngine::run(const Request& request, OutputSink* sink, const StopToken* stop) {
  auto& state = *state_;
  const auto& options = state.options;
  if (auto supported = check_supported(request, options); !supported) return std::unexpected(supported.error());
  const auto begun = Deadline::Clock::now();
  const api::Until until(
      Deadline::after_seconds(request.deadline_seconds.value_or(request.timeout_seconds + kQueueAllowance)),
      stop ? stop->fd() : -1);
  protocol::Limits limits;
  // The caller gave up before anything ran, or nothing here can run it: that is an outcome.
  const auto not_run = [&](Error error) -> Expected<Outcome> {
    if (error.code == "stopped") return cancelled(limits);
    if (error.code == "docker_image_missing")
      error.code = "engine_unavailable";
    else if (error.code != "no_interpreter")
      return std::unexpected(for_callers(std::move(error)));
    error.code = "engine_unavailable";
    return refused(error, limits);
  };
  auto daemon = state.maker.daemon(until);
  if (!daemon) return not_run(daemon.error());
  auto effective_limits = state.limits_of(request, **daemon);
  if (!effective_limits) return std::unexpected(effective_limits.error());
  limits = *effective_limits;
  const bool live = !request.stdin_bytes && sink && sink->input_fd() >= 0;
  auto order = order_of(request, limits, options.env, live);
  if (!order) return std::unexpected(order.error());
  auto kind = state.class_of(request, *limits.disk_bytes, **daemon, until);
  if (!kind) return not_run(kind.error());

  const std::string tenant = options.reuse == Reuse::tenant ? options.tenant : "";
  for (int tries = 0;; ++tries) {
    auto lease = state.pool->acquire(*kind, tenant, until);
    if (!lease) return not_run(lease.error());
    auto cell = std::move(lease->cell);
    const auto acquired = Deadline::Clock::now();
    const CellLimits wanted{*limits.memory_bytes, *limits.cpus, *limits.pids};
    api::Until adjusting = until;
    adjusting.deadline = adjusting.deadline.sooner(Deadline::after_seconds(kAdjustSeconds));
    if (auto adjusted = state.maker.adjust(*cell, wanted, adjusting); !adjusted) {
      const bool gone = adjusted.error().code == "cell_ended" || adjusted.error().code == "docker_not_found";
      state.pool->discard(std::move(cell));
      if (gone && tries < 3) continue;
      return not_run(adjusted.error());
    }
    const auto adjusted = Deadline::Clock::now();
    cell->tenant = tenant;
    auto ran = run_in(*cell, *order, request, limits, sink, stop);
    cell->well = ran.cell_is_well;
    if (ran.cell_ended && state.ran_out_of_memory(*cell, *(*daemon)->client)) {
      ran.outcome.status = Status::limit_exceeded;
      ran.outcome.failure = protocol::memory_limit_met(limits);
    }
    if (ran.cell_is_well && !tenant.empty())
      state.pool->recycle(std::move(cell));
    else
      state.pool->discard(std::move(cell));
    if (ran.never_ran && tries < 3) continue;
    auto& out = ran.outcome;
    out.usage.queue_seconds = std::chrono::duration<double>(acquired - begun).count();
    out.usage.setup_seconds += std::chrono::duration<double>(adjusted - acquired).count();
    out.engine.name = "docker";
    out.engine.version = "docker " + (*daemon)->info.version;
    out.engine.image = kind->image;
    out.engine.start = lease->ready ? "warm" : "cold";
    out.engine.chosen_because = request.engine == EngineWish::docker ? "requested" : "";
    return std::move(out);
  }
}

Expected<void> DockerEngine::probe(api::Until until) {
  auto daemon = state_->maker.daemon(until);
  if (!daemon) return std::unexpected(for_callers(daemon.error()));
  if (auto there = (*daemon)->client->ping(until); !there) return std::unexpected(for_callers(there.error()));
  auto id = state_->images.id_of(state_->options.image, *(*daemon)->client, until);
  return id ? Expected<void>{} : std::unexpected(for_callers(id.error()));
}

Expected<void> DockerEngine::warm(const Request& like, unsigned cells, api::Until until) {
  auto daemon = state_->maker.daemon(until);
  if (!daemon) return std::unexpected(for_callers(daemon.error()));
  auto limits = state_->limits_of(like, **daemon);
  if (!limits) return std::unexpected(limits.error());
  auto kind = state_->class_of(like, *limits->disk_bytes, **daemon, until);
  if (!kind) return std::unexpected(for_callers(kind.error()));
  auto warmed = state_->pool->warm(*kind, cells, until);
  return warmed ? Expected<void>{} : std::unexpected(for_callers(warmed.error()));
}

Expected<Swept> DockerEngine::sweep(api::Until until) {
  auto daemon = state_->maker.daemon(until);
  if (!daemon) return std::unexpected(for_callers(daemon.error()));
  return state_->sweep(*(*daemon)->client, until);
}

Expected<Diagnosis> DockerEngine::diagnose(bool self_test, api::Until until) {
  auto daemon = state_->maker.daemon(until);
  if (!daemon) return std::unexpected(for_callers(daemon.error()));
  Diagnosis out;
  look_at_host(out, **daemon, state_->maker.options());
  auto image = (*daemon)->client->inspect_image(state_->options.image, until);
  if (!image) {
    out.error = for_callers(image.error());
    return out;
  }
  look_at_image(out, *image);
  const CellClass kind{image->id, agent::Language::none, "", state_->options.disk_bytes / 4096 * 4096,
                       packages_folder(state_->options.packages)};
  look_at_cell(out, state_->maker, kind, until);
  if (self_test && !out.error) test_proof(out, state_->maker, kind, until);
  return out;
}

Pool::Counts DockerEngine::counts() const { return state_->pool->counts(); }

DockerEngine::Troubles DockerEngine::troubles() const {
  return {state_->maker.proofs_failed(), state_->remover.counts().failures};
}

void DockerEngine::resize(const PoolOptions& sizes) { state_->pool->resize(sizes.min, sizes.max, sizes.max_cells); }

std::optional<std::uint64_t> DockerEngine::idle_cell_bytes() const {
  const auto until = api::Until::seconds(5);
  auto daemon = state_->maker.daemon(until);
  const auto name = state_->pool->a_ready_one();
  if (!daemon || name.empty()) return std::nullopt;
  const auto container = (*daemon)->client->inspect(name, until);
  return container && container->running ? private_bytes_of_tree(container->pid) : std::nullopt;
}

}  // namespace hotcell::docker
