// A daemon and an agent for the tests of the engine: what both say of a cell that is as it should be, and a fake agent
// that speaks over the fake daemon's attach stream.
#pragma once
#include <sys/resource.h>

#include <atomic>
#include <cstdlib>
#include <functional>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "agent/wire/wire.h"
#include "docker/lockdown.h"
#include "fake_docker.h"

namespace hotcell::docker {

using agent::Facts;
using agent::FrameType;
using nlohmann::json;

// What Docker 20.10 shows of a container that was created with this body.
inline json inspected(const json& body) {
  json out;
  out["Config"] = body;
  out["Config"].erase("HostConfig");
  out["HostConfig"] = body["HostConfig"];
  auto& host = out["HostConfig"];
  const json defaults = {{"PidMode", ""},
                         {"UTSMode", ""},
                         {"ReadonlyRootfs", false},
                         {"Privileged", false},
                         {"AutoRemove", false},
                         {"ShmSize", 64 << 20},
                         {"Memory", 0},
                         {"MemorySwap", 0},
                         {"NanoCpus", 0},
                         {"PidsLimit", nullptr},
                         {"CapAdd", nullptr},
                         {"CapDrop", nullptr},
                         {"SecurityOpt", nullptr},
                         {"Ulimits", nullptr},
                         {"NetworkMode", "default"},
                         {"IpcMode", "shareable"},
                         {"CgroupnsMode", "host"},
                         {"LogConfig", {{"Type", "json-file"}, {"Config", json::object()}}},
                         {"Runtime", "runc"}};
  for (const auto& [name, value] : defaults.items())
    if (!host.contains(name)) host[name] = value;
  for (const char* name : {"StdinOnce", "NetworkDisabled"})
    if (!out["Config"].contains(name)) out["Config"][name] = false;
  out["Mounts"] = json::array();
  if (host.contains("Mounts"))
    for (const auto& mount : host["Mounts"])
      out["Mounts"].push_back({{"Type", mount["Type"]},
                               {"Source", mount["Source"]},
                               {"Destination", mount["Target"]},
                               {"RW", !mount["ReadOnly"].get<bool>()}});
  if (host.contains("Binds"))
    for (const auto& bind : host["Binds"]) {
      const auto text = bind.get<std::string>();
      out["Mounts"].push_back({{"Type", "bind"}, {"Destination", text.substr(text.find(':') + 1)}, {"RW", true}});
    }
  return out;
}

inline Facts::Mount mount(std::string target, std::string type, std::string options, bool writable = false,
                          std::uint64_t bytes = 0, std::uint64_t inodes = 0) {
  Facts::Mount out;
  out.target = std::move(target);
  out.type = std::move(type);
  out.options = std::move(options);
  out.writable = writable;
  out.bytes = bytes;
  out.inodes = inodes;
  return out;
}

// What an agent sees in a cell that is as it was asked for, on such a machine.
inline Facts facts_of(const CellSpec& want, const Machine& machine) {
  Facts out;
  out.pid = 1;
  for (int i = 0; i < 4; ++i) out.uid[i] = out.gid[i] = want.uid;
  out.groups = {want.uid};
  out.no_new_privs = out.guarded = true;
  out.seccomp_mode = 2;
  out.mounts = {mount("/", "overlay", "ro,relatime"),
                mount("/proc", "proc", "rw,nosuid,nodev,noexec"),
                mount("/dev", "tmpfs", "rw,nosuid"),
                mount("/sys", "sysfs", "ro,nosuid,nodev,noexec"),
                mount("/dev/mqueue", "mqueue", "rw,nosuid,nodev,noexec", true),
                mount("/dev/shm", "tmpfs", "rw,nosuid,nodev,noexec", true, 32 << 20),
                mount("/workspace", "tmpfs", "rw,nosuid,nodev", true, want.disk_bytes, 65536),
                mount("/tmp", "tmpfs", "rw,nosuid,nodev", true, want.disk_bytes, 65536),
                mount("/.hotcell/agent", "ext4", "ro,relatime")};
  if (!want.packages.empty()) out.mounts.push_back(mount("/opt/packages", "ext4", "ro,relatime"));
  for (const auto& path : machine.paths) out.mounts.push_back(mount(path, "tmpfs", "ro,nosuid"));
  out.kernel = machine.kernel;
  out.cgroup_version = 1;
  out.cgroup_private = true;
  out.memory_limit = out.memory_swap_limit = want.memory_bytes;
  out.pids_limit = want.pids;
  out.cpu_quota_us = static_cast<std::uint64_t>(want.cpus * 100'000);
  out.cpu_period_us = 100'000;
  out.interfaces = {{"lo", true, {"127.0.0.1"}}, {"tunl0", false, {}}};
  out.rlimits = {{RLIMIT_NOFILE, 4096, 4096},
                 {RLIMIT_CORE, 0, 0},
                 {RLIMIT_MEMLOCK, 65536, 65536},
                 {RLIMIT_MSGQUEUE, 262144, 262144}};
  for (const char* name : {"null", "zero", "full", "random", "urandom", "tty", "pts/0", "pts/ptmx"})
    out.devices.push_back({std::string("/dev/") + name, false, 1, 3});
  out.namespaces = {"pid:[2]", "ipc:[2]", "uts:[2]", "cgroup:[2]", "net:[2]"};
  return out;
}

// The agent's end of the line.
class AgentWire {
 public:
  explicit AgentWire(Wire& wire) : wire_(wire) {}

  struct Frame {
    FrameType type;
    std::string payload;
  };
  // nullopt: the host has hung up.
  std::optional<Frame> receive() {
    const auto head = wire_.read(agent::kFrameHeader);
    if (head.size() < agent::kFrameHeader) return std::nullopt;
    std::uint32_t size;
    std::memcpy(&size, head.data(), sizeof size);
    return Frame{static_cast<FrameType>(head[4]), wire_.read(size)};
  }
  void send(FrameType type, std::string_view payload = {}) {
    std::string bytes;
    agent::append_frame(bytes, type, payload);
    wire_.frame(1, bytes);
  }
  void output(int stream, std::string_view bytes) {
    agent::Output piece;
    piece.stream = static_cast<std::uint8_t>(stream);
    piece.bytes = bytes;
    send(FrameType::output, piece.encode());
  }
  Wire& raw() { return wire_; }

 private:
  Wire& wire_;
};

// What came with one order.
struct Given {
  agent::Order order;
  std::map<std::string, std::string> files;
  std::string input;
  bool eof = false;
};

// What an agent does with a program; a test may change its mind between two.
class Program {
 public:
  using Does = std::function<bool(AgentWire&, const Given&)>;
  Program(Does does) : does_(std::move(does)) {}
  void operator=(Does does) {
    const std::lock_guard lock(mutex_);
    does_ = std::move(does);
  }
  Does get() const {
    const std::lock_guard lock(mutex_);
    return does_;
  }

 private:
  mutable std::mutex mutex_;
  Does does_;
};

// A daemon whose every container is a fake agent. What the agent does may be changed before a cell is made.
class FakeHost {
 public:
  FakeHost() {
    docker.on("GET /info", Reply::json(200, R"({"OSType":"linux","ServerVersion":"20.10.24","CgroupDriver":"cgroupfs",
      "CgroupVersion":"1","NCPU":4,"Runtimes":{"runc":{}},"DefaultRuntime":"runc","SecurityOptions":["name=seccomp"]})"));
    docker.on("GET /images/*",
              Reply::json(200, R"({"Id":"sha256:1234567890abcdef1234567890abcdef","RepoTags":["test:1"]})"));
    docker.on("GET /containers/*", [this](const Seen& seen) {
      const std::lock_guard lock(mutex_);
      auto answer = inspected(bodies_[name_in(seen.path)]);
      answer["State"]["OOMKilled"] = out_of_memory.load();
      return Reply::json(200, answer.dump());
    });
    docker.on("POST /containers/*", [this](const Seen& seen) {
      const auto name = name_in(seen.path);
      if (seen.path.ends_with("/start")) return start;
      if (seen.path.ends_with("/wait")) return Reply::json(200, R"({"StatusCode":137})");
      if (seen.path.ends_with("/attach"))
        return Reply::hijacked([this, name](Wire& wire) {
          AgentWire line(wire);
          serve(line, name);
        });
      const auto change = json::parse(seen.body);  // update
      const std::lock_guard lock(mutex_);
      for (const auto& [member, value] : change.items()) bodies_[name]["HostConfig"][member] = value;
      return Reply::json(200, R"({"Warnings":null})");
    });
    docker.on("GET /containers/json", Reply::json(200, "[]"));
    docker.on("GET /networks", Reply::json(200, "[]"));
    docker.on("GET /volumes", Reply::json(200, R"({"Volumes":[]})"));
    docker.on("POST /containers/create", [this](const Seen& seen) {
      const std::lock_guard lock(mutex_);
      const auto name = seen.query.at("name");
      bodies_[name] = json::parse(seen.body);
      return Reply::json(201, json{{"Id", name}, {"Warnings", json::array()}}.dump());
    });
    docker.on("DELETE /containers/*", Reply::json(204, ""));
  }

  Reply start = Reply::json(204, "");
  std::atomic<bool> out_of_memory = false;  // what the daemon says of containers that have ended
  // What the agent sees; by default what was asked for.
  std::function<void(Facts&)> alter = [](Facts&) {};
  agent::Warmed warmed = [] {
    agent::Warmed out;
    out.ready = true;
    out.interpreter = "/usr/bin/python3";
    return out;
  }();
  agent::Cleaned cleaned = [] {
    agent::Cleaned out;
    out.clean = true;
    return out;
  }();
  // After `go`. What it does not send, the host does not get. False: the agent is gone.
  Program program{ends_well};

  static bool ends_well(AgentWire& line, const Given&) {
    agent::Report report;
    report.fate = agent::Fate::ended;
    report.exit_code = 0;
    line.send(FrameType::report, report.encode());
    line.send(FrameType::end);
    return true;
  }

 private:
  static CellSpec spec_of(const json& body) {
    CellSpec out;
    out.uid = static_cast<std::uint32_t>(std::strtoul(body["User"].get<std::string>().c_str(), nullptr, 10));
    const auto& host = body["HostConfig"];
    out.memory_bytes = host["Memory"];
    out.cpus = host["NanoCpus"].get<double>() / 1e9;
    out.pids = host["PidsLimit"];
    const auto options = host["Tmpfs"]["/workspace"].get<std::string>();
    out.disk_bytes = std::strtoull(options.c_str() + options.find("size=") + 5, nullptr, 10);
    return out;
  }

  static std::string name_in(const std::string& path) {
    const auto begin = std::string("/containers/").size();
    return path.substr(begin, path.find('/', begin) - begin);
  }

  void serve(AgentWire& line, const std::string& name) {
    Given given;
    while (auto frame = line.receive()) {
      switch (frame->type) {
        case FrameType::hello:
        case FrameType::prove: {
          Facts facts;
          {
            const std::lock_guard lock(mutex_);
            facts = facts_of(spec_of(bodies_[name]), Machine::look());
          }
          alter(facts);
          line.send(FrameType::ready, facts.encode());
          break;
        }
        case FrameType::warm:
          line.send(FrameType::warmed, warmed.encode());
          break;
        case FrameType::reset:
          line.send(FrameType::cleaned, cleaned.encode());
          break;
        case FrameType::order:
          given = {};
          given.order = agent::Order::decode(frame->payload).value();
          break;
        case FrameType::file: {
          const auto file = agent::FileIn::decode(frame->payload).value();
          given.files[file.path] += file.bytes;
          break;
        }
        case FrameType::input: {
          const auto input = agent::Input::decode(frame->payload).value();
          given.input += input.bytes;
          given.eof |= input.eof;
          break;
        }
        case FrameType::go:
          if (!program.get()(line, given)) return;
          break;
        default:
          break;
      }
    }
  }

  std::mutex mutex_;
  std::map<std::string, json> bodies_;  // of POST /containers/create, by the container's name

 public:
  FakeDocker docker{"1.41"};  // what Debian has. The last member: its threads use the others
};

}  // namespace hotcell::docker
