#include "docker/api/client.h"

#include <charconv>

#include "docker/api/call.h"
#include "docker/api/connection.h"
#include "docker/api/json.h"

namespace hotcell::docker::api {
namespace {

constexpr std::size_t kMaxAnswer = 8 << 20;    // a list of some thousand containers
constexpr std::size_t kMaxRefusal = 64 << 10;  // nobody explains himself at greater length

bool about_versions(const Error& error) { return error.code == "docker_too_old" || error.code == "docker_too_new"; }

}  // namespace

std::optional<ApiVersion> parse_api_version(std::string_view text) {
  ApiVersion out;
  const char* const end = text.data() + text.size();
  auto at = std::from_chars(text.data(), end, out.major);
  if (at.ec != std::errc{} || at.ptr == end || *at.ptr != '.') return std::nullopt;
  at = std::from_chars(at.ptr + 1, end, out.minor);
  if (at.ec != std::errc{} || at.ptr != end || out.major < 0 || out.minor < 0) return std::nullopt;
  return out;
}

Expected<std::unique_ptr<Client>> Client::connect(Endpoint endpoint, Until until, ApiVersion newest) {
  std::unique_ptr<Client> client(new Client(std::move(endpoint), newest));
  if (auto agreed = client->negotiate(until); !agreed) return std::unexpected(agreed.error());
  return client;
}

ApiVersion Client::api_version() const { return {1, minor_}; }

Expected<void> Client::negotiate(Until until) {
  // Without a version in its path this works with every daemon, also with one that refuses ours.
  auto hello = Call::get("reach the Docker daemon", "/_ping");
  hello.versioned = false;
  const auto greeting = ask(hello, until);
  if (!greeting) return std::unexpected(greeting.error());
  const auto theirs = parse_api_version(greeting->api_version);
  if (!theirs)
    return fail("docker_protocol", "what listens at " + endpoint_.socket + " does not say which Docker API it speaks",
                "is it a Docker daemon?");
  if (*theirs < kOldestApi)
    return fail("docker_too_old",
                "the Docker daemon speaks API " + theirs->text() + " at most, and hotcell needs " + kOldestApi.text(),
                "hotcell needs Docker 20.10 or newer");
  const auto agreed = std::min(*theirs, newest_);
  if (agreed.major != 1) return fail("docker_too_new", "the Docker daemon speaks API " + theirs->text() + " only");
  minor_ = agreed.minor;
  // Whether the oldest version that it accepts is old enough, only a call can tell.
  hello.versioned = true;
  auto connection = open(hello, until);
  return connection ? Expected<void>{} : std::unexpected(connection.error());
}

Expected<std::unique_ptr<Connection>> Client::open(const Call& call, Until until) {
  for (bool again = false;; again = true) {
    auto connection = Connection::open(endpoint_, until);
    if (!connection) return while_doing(call, connection.error());
    auto sent = (*connection)->send(call.encode(api_version().text()), until);
    // A daemon that refuses early may close before it has read everything: its answer is worth more than our EPIPE.
    if (sent || sent.error().code == "docker_unreachable") sent = (*connection)->read_head(until);
    if (!sent) {
      const bool untouched = sent.error().code == "docker_unreachable" && !(*connection)->answer().begun();
      if (untouched && call.repeatable && !again) continue;
      return while_doing(call, sent.error());
    }
    const int status = (*connection)->answer().status();
    if (status == 101 || status == 304 || (status >= 200 && status < 300)) return connection;
    auto body = (*connection)->read_all_body(kMaxRefusal, until);
    if (!body) return while_doing(call, body.error());
    auto refused = refusal(call, status, *body);
    // Another daemon than the one that we agreed with. It has done nothing yet, so the call may be made again.
    if (about_versions(refused) && call.target != "/_ping" && !again) {
      const int before = minor_;
      if (auto agreed = negotiate(until); !agreed) return std::unexpected(agreed.error());
      if (minor_ != before) continue;
    }
    return std::unexpected(std::move(refused));
  }
}

Expected<Answer> Client::ask(const Call& call, Until until) {
  const auto connection = open(call, until);
  if (!connection) return std::unexpected(connection.error());
  auto body = (*connection)->read_all_body(kMaxAnswer, until);
  if (!body) return while_doing(call, body.error());
  const auto& head = (*connection)->answer();
  return Answer{head.status(), head.api_version(), std::move(*body)};
}

Expected<Json> Client::ask_json(const Call& call, Until until) {
  const auto answer = ask(call, until);
  if (!answer) return std::unexpected(answer.error());
  if (auto json = parse_json(answer->body)) return std::move(*json);
  return while_doing(call, Error{"docker_protocol", "what the Docker daemon answered is not JSON", ""});
}

Expected<void> Client::tell(const Call& call, Until until) {
  const auto answer = ask(call, until);
  return answer ? Expected<void>{} : std::unexpected(answer.error());
}

Expected<void> Client::ping(Until until) { return tell(Call::get("reach the Docker daemon", "/_ping"), until); }

Expected<DaemonVersion> Client::version(Until until) {
  const auto json = ask_json(Call::get("ask the Docker daemon for its version", "/version"), until);
  if (!json) return std::unexpected(json.error());
  DaemonVersion out;
  out.version = text(*json, "Version");
  out.api_newest = parse_api_version(text(*json, "ApiVersion")).value_or(ApiVersion{});
  out.api_oldest = parse_api_version(text(*json, "MinAPIVersion")).value_or(ApiVersion{});
  out.os = text(*json, "Os");
  out.arch = text(*json, "Arch");
  out.kernel = text(*json, "KernelVersion");
  return out;
}

Expected<Info> Client::info(Until until) {
  const auto json = ask_json(Call::get("ask the Docker daemon about itself", "/info"), until);
  if (!json) return std::unexpected(json.error());
  Info out;
  out.id = text(*json, "ID");
  out.name = text(*json, "Name");
  out.version = text(*json, "ServerVersion");
  out.operating_system = text(*json, "OperatingSystem");
  out.kernel = text(*json, "KernelVersion");
  out.os_type = text(*json, "OSType");
  out.arch = text(*json, "Architecture");
  out.storage_driver = text(*json, "Driver");
  if (const Json& runtimes = field(*json, "Runtimes"); runtimes.is_object())
    for (const auto& [name, runtime] : runtimes.items()) out.runtimes.push_back(name);
  out.default_runtime = text(*json, "DefaultRuntime");
  out.cgroup_driver = text(*json, "CgroupDriver");
  out.cgroup_version = text(*json, "CgroupVersion");
  // "name=seccomp,profile=default", "name=rootless"
  for (const auto& option : texts(*json, "SecurityOptions")) {
    const std::string_view name = std::string_view(option).substr(0, option.find(','));
    out.rootless |= name == "name=rootless";
    out.userns_remap |= name == "name=userns";
    out.seccomp |= name == "name=seccomp";
  }
  out.memory_limit = flag(*json, "MemoryLimit");
  out.swap_limit = flag(*json, "SwapLimit");
  out.cpu_quota = flag(*json, "CpuCfsQuota");
  out.pids_limit = flag(*json, "PidsLimit");
  out.cpus = number(*json, "NCPU");
  out.memory_bytes = number(*json, "MemTotal");
  out.warnings = texts(*json, "Warnings");
  return out;
}

}  // namespace hotcell::docker::api
