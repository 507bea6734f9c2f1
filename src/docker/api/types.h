// What the daemon tells us, as far as hotcell looks at it. A field that an answer lacks keeps its default: daemons of
// different ages send different fields, and a missing one is for the caller to judge.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hotcell::docker::api {

using Labels = std::map<std::string, std::string>;

// Of the Engine API: "1.41".
struct ApiVersion {
  int major = 0, minor = 0;
  auto operator<=>(const ApiVersion&) const = default;
  std::string text() const { return std::to_string(major) + "." + std::to_string(minor); }
};
std::optional<ApiVersion> parse_api_version(std::string_view text);

struct DaemonVersion {
  std::string version;  // of the daemon: "20.10.24"
  ApiVersion api_newest, api_oldest;
  std::string os, arch, kernel;
};

struct Info {
  std::string id, name, version, operating_system, kernel;
  std::string os_type;  // "linux", or hotcell can do nothing with it
  std::string arch;
  std::string storage_driver;
  std::vector<std::string> runtimes;  // names that HostConfig.Runtime may have
  std::string default_runtime;
  std::string cgroup_driver;   // "cgroupfs", "systemd"; "none": no limit is enforced
  std::string cgroup_version;  // "1", "2"
  bool rootless = false;
  bool userns_remap = false;
  bool seccomp = false;
  bool memory_limit = false, swap_limit = false, cpu_quota = false, pids_limit = false;  // what the kernel can enforce
  std::int64_t cpus = 0, memory_bytes = 0;
  std::vector<std::string> warnings;
};

struct Created {
  std::string id;
  std::vector<std::string> warnings;  // what the daemon ignored or could not do: worth refusing a locked-down cell for
};

// What inspect says about a container's life. Its configuration is in Client::inspect_json.
struct Container {
  std::string id, name, image_id;
  std::string status;  // "created", "running", "exited", "removing", "dead", …
  bool running = false, oom_killed = false;
  int pid = 0;  // in the daemon's namespace; 0: not running
  int exit_code = 0;
  std::string error;  // why it could not be started
  Labels labels;
};

struct ListedContainer {
  std::string id, name, image, image_id;
  std::string state;         // as Container::status
  std::int64_t created = 0;  // seconds since 1970
  Labels labels;
};

// Sent by update(); what is not set stays as it is.
struct Limits {
  std::optional<std::int64_t> memory_bytes = {};  // memory and memory+swap alike: no swap
  std::optional<std::int64_t> nano_cpus = {};     // 1'000'000'000: one CPU
  std::optional<std::int64_t> pids = {};
};

enum class WaitFor {
  not_running,  // at once if it is not running now (also when it was never started)
  next_exit,
  removed,  // for a container with AutoRemove: the exit code still comes
};

struct Exit {
  int code = 0;
  std::string error;  // the daemon's own trouble with waiting
};

struct AttachStreams {
  bool in = true, out = true, err = true;
};

struct Image {
  std::string id;  // "sha256:…"
  std::vector<std::string> tags;
  std::int64_t size = 0;
  Labels labels;
  // Only from inspect_image:
  std::string os, arch, user, work_dir;
  std::vector<std::string> env, entrypoint, command;
};

struct BuildOptions {
  std::string dockerfile = "Dockerfile";  // its path in the tar
  std::vector<std::string> tags = {};     // "name:tag"
  Labels labels = {};
  std::map<std::string, std::string> build_args = {};
  std::string network = {};  // of RUN: "" (the daemon's default), "none", "host", a name
  bool no_cache = false;
  bool pull = false;  // look for newer base images
};

// One line of progress of an import, a load or a build, without its line end. Called on the thread that made the call.
using Progress = std::function<void(std::string_view line)>;

struct NetworkOptions {
  std::string name = {};
  std::string driver = "bridge";
  bool internal = false;  // no way out
  Labels labels = {};
  std::map<std::string, std::string> options = {};  // the driver's own: "com.docker.network.bridge.enable_icc"
};

struct Network {
  std::string id, name, driver;
  bool internal = false;
  Labels labels;
  std::vector<std::string> containers;  // ids; only from inspect_network
};

struct Volume {
  std::string name, driver;
  Labels labels;
};

struct EventFilter {
  std::vector<std::string> labels = {};      // "key" or "key=value"; all must match
  std::vector<std::string> actions = {};     // any of "die", "oom", "start", "destroy", …; none: all
  std::vector<std::string> containers = {};  // ids or names; none: all
  std::optional<std::int64_t> since = {};    // seconds since 1970: what happened since then comes first
};

struct Event {
  std::string action;  // "die", "oom", …
  std::string container;
  std::optional<int> exit_code;  // of "die"
  Labels attributes;             // the container's labels, and its name and image
  std::int64_t time_ns = 0;
};

}  // namespace hotcell::docker::api
