#include "docker/builder.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <nlohmann/json.hpp>
#include <semaphore>

#include "base/file.h"
#include "docker/api/client.h"
#include "docker/ground.h"
#include "docker/network.h"
#include "docker/run.h"
#include "docker/sweeper.h"

namespace hotcell::docker {
namespace {

namespace fs = std::filesystem;
using agent::FrameType;

constexpr double kMakeSeconds = 60;  // a network and two containers
constexpr double kEndSeconds = 10;
constexpr std::uint64_t kOutputBytes = 16u << 20;  // a lock with thousands of packages
constexpr unsigned kMostAtOnce = 64;

// Builders share what they have downloaded, so they share a uid. As root we may own anything afterwards, so it is
// nobody's; another user must be the owner already, for he could not take over the files of a stranger.
Expected<std::uint32_t> builder_uid(const api::Info& info) {
  const bool mapped = info.rootless || info.userns_remap;
  if (geteuid() == 0) return mapped ? kMappedUids.first - 1 : kUsualUids.first - 1;
  if (info.rootless) return 0;  // which is how such a daemon calls its own user
  if (!info.userns_remap) return geteuid();
  return fail("no_installer",
              "packages cannot be installed: the Docker daemon maps users (userns-remap), so what a builder installs "
              "would belong to a stranger",
              "run hotcell as root, or use another daemon");
}

// For who wanted packages, all that is wrong with the daemon means that nobody can install any.
Error for_callers(Error error, Deadline deadline) {
  if (deadline.passed()) return {"dependency_timeout", "the time was over before packages could be installed", ""};
  static constexpr std::string_view kNobody[] = {"docker_unreachable",     "docker_permission", "docker_not_answering",
                                                 "docker_too_old",         "docker_too_new",    "docker_image_missing",
                                                 "docker_runtime_missing", "docker_bad_host",   "engine_unavailable"};
  const bool nobody = std::ranges::find(kNobody, error.code) != std::end(kNobody);
  if (error.code == "docker_image_missing")
    error.hint = "make the builder image with `hotcell images build`, or scripts/docker-images in the sources";
  error.code = nobody ? "no_installer" : "dependency_failed";
  error.message = "packages cannot be installed: " + error.message;
  return error;
}

}  // namespace

struct Builder::State {
  State(BuilderOptions given, Ground ground)
      : options(std::move(given)),
        home(std::move(ground.home)),
        owner(std::move(ground.owner)),
        remover([this](const std::string& name, Deadline deadline) { return remove(name, deadline); }, 1),
        maker(std::move(ground.make), remover),
        places(std::clamp(options.at_once, 1u, kMostAtOnce)) {}
  ~State() {
    const auto until = api::Until::seconds(kEndSeconds);
    if (maker.has_network()) {  // it can only go when nothing is in it any more; else it is the sweeper's
      remover.drain(until.deadline);
      (void)maker.remove_network(until);
    }
    remover.close();
  }

  Expected<void> remove(const std::string& name, Deadline deadline) {
    auto daemon = maker.daemon(deadline);
    if (!daemon) return std::unexpected(daemon.error());
    return (*daemon)->client->remove(name, deadline);
  }
  bool take_place(Deadline deadline) {
    while (!places.try_acquire_for(std::min<std::chrono::nanoseconds>(deadline.left(), std::chrono::milliseconds(50))))
      if (deadline.passed()) return false;
    return true;
  }
  void sweep_once(api::Client& client, api::Until until);
  Expected<std::unique_ptr<Cell>> make(const BuildJob& job, api::Until until);

  const BuilderOptions options;
  const Home home;
  const Owner owner;
  Remover remover;
  CellMaker maker;  // for its daemon and its network; a builder is made here
  const Machine machine = Machine::look();
  std::counting_semaphore<kMostAtOnce> places;
  std::atomic<bool> swept = false;
  std::atomic<std::uint64_t> made = 0;
};

// What dead processes have left: nobody else may come by on a machine that only installs.
void Builder::State::sweep_once(api::Client& client, api::Until until) {
  if (swept.exchange(true)) return;
  SweepOptions how;
  how.self = owner.id();
  how.in_use = [this](const std::string& name) { return remover.knows(name); };
  (void)docker::sweep(client, home, how, until);
}

Expected<std::unique_ptr<Cell>> Builder::State::make(const BuildJob& job, api::Until until) {
  auto daemon = maker.daemon(until);
  if (!daemon) return std::unexpected(daemon.error());
  auto& client = *(*daemon)->client;
  sweep_once(client, until);
  auto image = client.inspect_image(options.image, until);
  if (!image) return std::unexpected(image.error());
  auto uid = builder_uid((*daemon)->info);
  if (!uid) return std::unexpected(uid.error());

  const auto& make = maker.options();
  CellSpec spec;
  spec.image = image->id;
  spec.agent = make.agent;
  spec.seccomp = make.seccomp;
  spec.runtime = make.runtime;
  spec.uid = *uid;
  spec.memory_bytes = options.memory_bytes;
  spec.disk_bytes = options.disk_bytes;
  spec.cpus = std::min(options.cpus, std::max(1.0, static_cast<double>((*daemon)->info.cpus)));
  spec.pids = options.pids;
  spec.folders = job.folders;
  spec.labels = {{kHomeLabel, home.id()}, {kOwnerLabel, owner.id()}, {kClassLabel, "builder"}};
  MachineNetwork around;
  if (job.network) {
    auto network = maker.network(until);
    if (!network) return std::unexpected(network.error());
    around = MachineNetwork::look();
    spec.network = std::move(*network);
    spec.nameservers = around.nameservers;
    spec.openings = job.openings;
  }
  auto body = create_body(spec);
  if (job.network) body["HostConfig"]["ExtraHosts"] = job.hosts;

  auto name = "hotcell-" + owner.id() + "-" + std::to_string(++made);
  remover.expect(name);
  const auto give_up = [&](Error error) -> std::unexpected<Error> {
    remover.remove(name);
    return std::unexpected(std::move(error));
  };
  auto created = client.create(body, until.deadline, name);
  if (!created) return give_up(created.error());
  auto attached = client.attach(created->id, {}, until);
  if (!attached) return give_up(attached.error());
  CellClass kind;
  kind.image = spec.image;
  kind.network = spec.network;
  kind.disk_bytes = spec.disk_bytes;
  auto cell =
      std::make_unique<Cell>(std::move(kind), std::move(spec), std::move(name), Channel(std::move(*attached)), remover);
  if (auto started = client.start(created->id, until); !started) return std::unexpected(started.error());
  if (job.network)
    if (auto shut = block_private(client, remover, cell->name(), cell->spec(), around, until); !shut)
      return std::unexpected(shut.error());
  agent::Hello hello;
  hello.probes = cell->spec().unreachable;
  hello.probes.emplace_back(kPublicProbe);
  std::string frames;
  agent::append_frame(frames, FrameType::hello, hello.encode());
  if (auto sent = cell->channel().send(frames, until); !sent) return std::unexpected(sent.error());
  auto frame = cell->channel().expect(FrameType::ready, until);
  if (!frame) return std::unexpected(frame.error());
  const auto facts = agent::Facts::decode(frame->payload);
  if (!facts || facts->version != agent::kWireVersion)
    return fail("internal", "the agent is of another version than hotcell", "install both together");
  const auto inspected = client.inspect_json(cell->name(), until);
  if (!inspected) return std::unexpected(inspected.error());
  cell->findings = prove(cell->spec(), *facts, *inspected, machine);
  if (!all_hold(cell->findings))
    return fail("proof_failed",
                "a builder is not locked down as it should be, and was not used: " + differences(cell->findings),
                "hotcell doctor shows how ordinary cells are locked down here");
  return cell;
}

Builder::Builder(std::unique_ptr<State> state) : state_(std::move(state)) {}
Builder::~Builder() = default;

Expected<std::unique_ptr<Builder>> Builder::create(BuilderOptions options) {
  if (!options.enabled)
    return fail("no_installer", "packages cannot be installed: that needs Docker, which is turned off (docker.enabled)",
                "set docker.enabled to true; what is in the cache already can be used as it is");
  auto ground = Ground::lay({options.docker_host, options.runtime, options.agent, options.seccomp, options.state});
  if (!ground) return std::unexpected(for_callers(ground.error(), Deadline::after_seconds(1)));
  return std::unique_ptr<Builder>(new Builder(std::make_unique<State>(std::move(options), std::move(*ground))));
}

Expected<protocol::Outcome> Builder::run(const BuildJob& job, Deadline deadline) {
  auto& state = *state_;
  if (!state.take_place(deadline))
    return fail("dependency_timeout", "other installs took so long that the time was over before this one began",
                "try again later");
  const struct Place {
    State& state;
    ~Place() { state.places.release(); }
  } place{state};
  auto cell = state.make(job, deadline.sooner(Deadline::after_seconds(kMakeSeconds)));
  if (!cell) return std::unexpected(for_callers(cell.error(), deadline));

  protocol::Request request;
  request.argv = job.argv;
  request.files = job.files;
  request.timeout_seconds = std::max(0.001, std::chrono::duration<double>(deadline.left()).count());
  request.collect.changed = false;
  protocol::Limits limits;
  limits.output_bytes = kOutputBytes;
  limits.result_bytes = 0;
  limits.files_bytes = 0;
  limits.memory_bytes = state.options.memory_bytes;
  limits.disk_bytes = state.options.disk_bytes;
  limits.pids = state.options.pids;
  auto order = order_of(request, limits, job.env, false);
  if (!order) return std::unexpected(order.error());
  auto outcome = run_in(**cell, *order, request, limits, nullptr, deadline.stop()).outcome;
  // An agent that answered has killed everything first. Where it did not, the folders may still be written to.
  if (outcome.status == protocol::Status::sandbox_error)
    (void)state.remove((*cell)->name(), Deadline::after_seconds(kEndSeconds));
  return outcome;
}

}  // namespace hotcell::docker
