#include "docker/maker.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace hotcell::docker {
namespace {

using agent::FrameType;
using agent::Language;

// A start may hang for ever (a runtime that does not get along with the machine); nobody waits for it that long.
constexpr double kMakeSeconds = 30;
constexpr std::chrono::seconds kResetTime{2};

void append_warm(std::string& to, const CellClass& kind, const MakerOptions& options) {
  agent::Warm order;
  order.language = kind.language;
  if (kind.language == Language::python) order.modules = options.warm_modules;
  agent::append_frame(to, FrameType::warm, order.encode());
}

std::string hello_frames(const CellClass& kind, const CellSpec& spec, bool warm, const MakerOptions& options) {
  std::string out;
  agent::Hello hello;
  hello.probes = spec.unreachable;
  hello.probes.emplace_back(kPublicProbe);
  agent::append_frame(out, FrameType::hello, hello.encode());
  if (warm) append_warm(out, kind, options);
  return out;
}

// What the daemon says of the whole machine, where a cell could only fail one line after the other.
Expected<void> look_at(const api::Info& info, const MakerOptions& options) {
  if (!info.os_type.empty() && info.os_type != "linux")
    return fail("engine_unavailable", "the Docker daemon runs " + info.os_type + " containers, and cells are Linux");
  if (info.cgroup_driver == "none")
    return fail("engine_unavailable",
                "the Docker daemon enforces no limits (Cgroup Driver: none" +
                    std::string(info.rootless ? ", rootless" : "") + "), so no cell can be locked down",
                "give a rootless daemon cgroup v2 with delegation, or use a daemon that runs as root");
  const auto& known = info.runtimes;
  if (!options.runtime.empty() && std::find(known.begin(), known.end(), options.runtime) == known.end()) {
    std::string all;
    for (const auto& one : known) all += (all.empty() ? "" : ", ") + one;
    return fail("docker_runtime_missing", "the Docker daemon has no runtime \"" + options.runtime + "\"; it has " + all,
                "install it and name it in the daemon's daemon.json, or change docker.runtime");
  }
  return {};
}

}  // namespace

std::string_view name_of(Language language) {
  switch (language) {
    case Language::none:
      return "any";
    case Language::python:
      return "python";
    case Language::node:
      return "javascript";
    case Language::bash:
      return "bash";
  }
  return "unknown";
}

CellMaker::CellMaker(MakerOptions options, Remover& remover)
    : options_(std::move(options)),
      remover_(remover),
      machine_(Machine::look()),
      network_(options_.owner, {{kHomeLabel, options_.home}, {kOwnerLabel, options_.owner}}) {}

Expected<std::string> CellMaker::network(api::Until until) {
  auto daemon = this->daemon(until);
  if (!daemon) return std::unexpected(daemon.error());
  return network_.name(*(*daemon)->client, until);
}

Expected<void> CellMaker::remove_network(api::Until until) {
  std::shared_ptr<const Daemon> found;
  {
    const std::lock_guard lock(mutex_);
    found = daemon_;
  }
  return found ? network_.remove(*found->client, until) : Expected<void>{};
}

Expected<std::shared_ptr<const Daemon>> CellMaker::daemon(api::Until until) {
  const auto known = [&] {
    const std::lock_guard lock(mutex_);
    return daemon_;
  };
  if (auto found = known()) return found;
  const std::unique_lock connecting(connecting_, until.deadline.at());
  if (!connecting) return fail("docker_not_answering", "the Docker daemon did not answer in time");
  if (auto found = known()) return found;
  auto client = api::Client::connect(options_.endpoint, until);
  if (!client) return std::unexpected(client.error());
  auto info = (*client)->info(until);
  if (!info) return std::unexpected(info.error());
  if (auto fit = look_at(*info, options_); !fit) return std::unexpected(fit.error());
  const auto range = options_.uids.count                    ? options_.uids
                     : info->rootless || info->userns_remap ? kMappedUids
                                                            : kUsualUids;
  const std::lock_guard lock(mutex_);
  uids_ = std::make_shared<Uids>(range);
  daemon_ = std::make_shared<const Daemon>(std::move(*client), std::move(*info));
  return daemon_;
}

Expected<std::unique_ptr<Cell>> CellMaker::make(const CellClass& kind, bool warm, api::Until until,
                                                std::vector<Finding>* findings) {
  until.deadline = until.deadline.sooner(Deadline::after_seconds(kMakeSeconds));
  auto daemon = this->daemon(until);
  if (!daemon) return std::unexpected(daemon.error());
  auto& client = *(*daemon)->client;

  CellSpec spec;
  spec.image = kind.image;
  spec.agent = options_.agent;
  spec.seccomp = options_.seccomp;
  spec.runtime = options_.runtime;
  spec.network = kind.network;
  spec.packages = kind.packages;
  MachineNetwork around;
  if (!kind.network.empty()) {
    around = MachineNetwork::look();
    spec.nameservers = around.nameservers;
  }
  spec.disk_bytes = kind.disk_bytes;
  spec.memory_bytes = options_.limits.memory_bytes;
  spec.cpus = options_.limits.cpus;
  spec.pids = options_.limits.pids;
  spec.labels = {{kHomeLabel, options_.home},
                 {kOwnerLabel, options_.owner},
                 {kClassLabel, std::string(name_of(kind.language)) + (kind.network.empty() ? "" : "+network")}};
  auto uid = uids_->take();
  if (!uid) return std::unexpected(uid.error());
  spec.uid = **uid;

  std::string name;
  {
    const std::lock_guard lock(mutex_);
    name = "hotcell-" + options_.owner + "-" + std::to_string(++made_);
  }
  remover_.expect(name, *uid);
  // From here on the container may exist, whatever the daemon says or does not say.
  const auto give_up = [&](Error error) -> std::unexpected<Error> {
    remover_.remove(name);
    return std::unexpected(std::move(error));
  };
  // Never given up half way: what a daemon has begun to create cannot be removed yet, and would be there afterwards.
  auto created = client.create(create_body(spec, left_out_), until.deadline, name);
  if (!created) return give_up(created.error());
  auto attached = client.attach(created->id, {}, until);
  if (!attached) return give_up(attached.error());
  auto cell = std::make_unique<Cell>(kind, std::move(spec), std::move(name), Channel(std::move(*attached)), remover_);
  const auto greet = [&] { return cell->channel().send(hello_frames(kind, cell->spec(), warm, options_), until); };
  if (kind.network.empty())
    if (auto sent = greet(); !sent) return std::unexpected(sent.error());
  if (auto started = client.start(created->id, until); !started) return std::unexpected(started.error());
  if (!kind.network.empty()) {
    // Not a word to the agent before its network is shut.
    if (auto shut = block_private(client, remover_, cell->name(), cell->spec(), around, until); !shut)
      return std::unexpected(shut.error());
    if (auto sent = greet(); !sent) return std::unexpected(sent.error());
  }
  auto frame = cell->channel().expect(FrameType::ready, until);
  if (!frame) {
    if (frame.error().code == "cell_ended")
      frame.error() = {"internal",
                       "a container was started, and its agent ended at once" + cell->channel().last_words(),
                       "try `docker run --rm -i --entrypoint /.hotcell/agent -v " + options_.agent +
                           ":/.hotcell/agent:ro " + kind.image.substr(0, 19) + "`"};
    return std::unexpected(frame.error());
  }
  const auto facts = agent::Facts::decode(frame->payload);
  if (!facts) return fail("protocol", "what the agent says of its cell cannot be read");
  if (facts->version != agent::kWireVersion)
    return fail("internal", "the agent is of another version than hotcell", "install both together");
  const auto proven = compare(*cell, *facts, **daemon, until);
  if (findings) *findings = cell->findings;
  if (!proven) return std::unexpected(proven.error());
  if (warm)
    if (auto ready = receive_warmed(*cell, until); !ready) return std::unexpected(ready.error());
  cell->well = true;
  return cell;
}

Expected<void> CellMaker::receive_warmed(Cell& cell, api::Until until) {
  auto frame = cell.channel().expect(FrameType::warmed, until);
  if (!frame) return std::unexpected(frame.error());
  const auto warmed = agent::Warmed::decode(frame->payload);
  if (!warmed) return fail("protocol", "what the agent says of its interpreter cannot be read");
  if (warmed->ready) return {};
  if (warmed->interpreter.empty())
    return fail("no_interpreter",
                "the image " + cell.kind().image.substr(0, 19) + " has no interpreter for " +
                    std::string(name_of(cell.kind().language)),
                "use an image that has it, or another language");
  return fail("internal", "an interpreter could not be started in a cell: " + warmed->problem);
}

Expected<void> CellMaker::compare(Cell& cell, const agent::Facts& facts, const Daemon& daemon, api::Until until) {
  const auto inspected = daemon.client->inspect_json(cell.name(), until);
  if (!inspected) return std::unexpected(inspected.error());
  cell.findings = prove(cell.spec(), facts, *inspected, machine_);
  if (!all_hold(cell.findings)) {
    ++proofs_failed_;
    return fail("proof_failed",
                "a cell is not locked down as it should be, and was not used: " + differences(cell.findings),
                "hotcell doctor shows everything that was asked for and what is there instead");
  }
  cell.proven_at = Deadline::Clock::now();
  return {};
}

Expected<void> CellMaker::check(Cell& cell, api::Until until) {
  cell.well = false;
  auto daemon = this->daemon(until);
  if (!daemon) return std::unexpected(daemon.error());
  std::string frames;
  agent::append_frame(frames, FrameType::prove);
  if (auto sent = cell.channel().send(frames, until); !sent) return sent;
  auto frame = cell.channel().expect(FrameType::ready, until);
  if (!frame) return std::unexpected(frame.error());
  const auto facts = agent::Facts::decode(frame->payload);
  if (!facts) return fail("protocol", "what the agent says of its cell cannot be read");
  if (auto proven = compare(cell, *facts, **daemon, until); !proven) return proven;
  cell.well = true;
  return {};
}

Expected<void> CellMaker::adjust(Cell& cell, const CellLimits& limits, api::Until until) {
  const auto now = cell.limits();
  if (now == limits) return {};
  auto daemon = this->daemon(until);
  if (!daemon) return std::unexpected(daemon.error());
  auto& spec = cell.spec();
  spec.memory_bytes = limits.memory_bytes;
  spec.cpus = limits.cpus;
  spec.pids = limits.pids;
  api::Limits changed;
  if (now.memory_bytes != limits.memory_bytes) changed.memory_bytes = static_cast<std::int64_t>(limits.memory_bytes);
  if (now.cpus != limits.cpus) changed.nano_cpus = nano_cpus(spec);
  if (now.pids != limits.pids) changed.pids = static_cast<std::int64_t>(limits.pids);
  const auto updated = (*daemon)->client->update(cell.name(), changed, until);
  if (!updated) return std::unexpected(updated.error());
  return check(cell, until);
}

Expected<void> CellMaker::clean(Cell& cell, bool warm, api::Until until) {
  cell.well = false;
  std::string frames;
  agent::Reset order;
  order.time_ns = static_cast<std::uint64_t>(std::chrono::nanoseconds(kResetTime).count());
  agent::append_frame(frames, FrameType::reset, order.encode());
  if (auto sent = cell.channel().send(frames, until); !sent) return sent;
  auto frame = cell.channel().expect(FrameType::cleaned, until);
  if (!frame) return std::unexpected(frame.error());
  const auto cleaned = agent::Cleaned::decode(frame->payload);
  if (!cleaned) return fail("protocol", "what the agent says of its cleaning cannot be read");
  if (!cleaned->clean) return fail("not_clean", "a cell could not be cleaned: " + cleaned->problem);
  if (warm) {
    frames.clear();
    append_warm(frames, cell.kind(), options_);
    if (auto sent = cell.channel().send(frames, until); !sent) return sent;
    if (auto ready = receive_warmed(cell, until); !ready) return ready;
  }
  cell.well = true;
  return {};
}

}  // namespace hotcell::docker
