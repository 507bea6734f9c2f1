#include "docker/network.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/file.h"

namespace hotcell::docker {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxResolvConf = 64 << 10;
constexpr std::size_t kMostNameservers = 3;  // as many as the C library looks at
constexpr std::size_t kLastWords = 500;

// The ends of every range that is not public, and the address under which clouds keep their secrets.
constexpr const char* kPrivateProbes[] = {
    "10.0.0.1",       "10.255.255.254",  "100.64.0.1",      "100.127.255.254", "169.254.169.254", "172.16.0.1",
    "172.31.255.254", "192.168.0.1",     "192.168.255.254", "198.18.0.1",      "198.19.255.254",  "192.0.0.1",
    "224.0.0.251",    "239.255.255.250", "240.0.0.1",       "2001:db8::1",     "fd00::1",
};

json helper_body(const std::string& container, const CellSpec& spec, std::vector<std::string> words) {
  words.insert(words.begin(), "block-private");
  return {{"Image", spec.image},
          {"Entrypoint", {kAgentInCell}},
          {"Cmd", words},
          {"User", "0:0"},
          {"AttachStdout", true},
          {"AttachStderr", true},
          {"Healthcheck", {{"Test", {"NONE"}}}},
          {"Labels", spec.labels},
          {"HostConfig",
           {{"NetworkMode", "container:" + container},
            {"CapDrop", {"ALL"}},
            {"CapAdd", {"NET_ADMIN"}},
            {"SecurityOpt", {"no-new-privileges:true"}},
            {"ReadonlyRootfs", true},
            {"Memory", 64 << 20},
            {"MemorySwap", 64 << 20},
            {"PidsLimit", 16},
            {"AutoRemove", true},
            {"LogConfig", {{"Type", "none"}, {"Config", json::object()}}},
            {"Mounts", {{{"Type", "bind"}, {"Source", spec.agent}, {"Target", kAgentInCell}, {"ReadOnly", true}}}}}}};
}

std::string words_of(api::Attached& attached, api::Until until) {
  std::string out;
  for (;;) {
    const auto piece = attached.receive(until);
    if (!piece || !*piece) return out;
    out += (*piece)->bytes.substr(0, kLastWords - std::min(kLastWords, out.size()));
  }
}

}  // namespace

Expected<std::string> CellNetwork::name(api::Client& client, api::Until until) {
  const std::lock_guard lock(mutex_);
  if (made_) return name_;
  api::NetworkOptions how;
  how.name = name_;
  how.labels = labels_;
  how.options = {{"com.docker.network.bridge.enable_icc", "false"}};
  auto created = client.create_network(how, until);
  if (!created && created.error().code != "docker_conflict") return std::unexpected(created.error());
  made_ = true;
  return name_;
}

Expected<void> CellNetwork::remove(api::Client& client, api::Until until) {
  const std::lock_guard lock(mutex_);
  if (!made_) return {};
  auto removed = client.remove_network(name_, until);
  if (removed) made_ = false;
  return removed;
}

std::vector<std::string> nameservers_in(std::string_view text) {
  std::vector<std::string> out;
  while (!text.empty() && out.size() < kMostNameservers) {
    auto line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    constexpr std::string_view kWord = "nameserver";
    if (!line.starts_with(kWord)) continue;
    line.remove_prefix(kWord.size());
    const auto begin = line.find_first_not_of(" \t");
    if (begin == 0 || begin == line.npos) continue;
    const std::string address(line.substr(begin, line.find_first_of(" \t\r#;", begin) - begin));
    in_addr parsed;
    if (inet_pton(AF_INET, address.c_str(), &parsed) == 1 && !address.starts_with("127.")) out.push_back(address);
  }
  return out;
}

MachineNetwork MachineNetwork::look() {
  MachineNetwork out;
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) == 0) {
    for (const ifaddrs* item = list; item; item = item->ifa_next) {
      if (!item->ifa_addr || item->ifa_addr->sa_family != AF_INET) continue;
      char text[INET_ADDRSTRLEN] = "";
      inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(item->ifa_addr)->sin_addr, text, sizeof text);
      if (!std::string_view(text).starts_with("127.")) out.addresses.emplace_back(text);
    }
    freeifaddrs(list);
  }
  if (const auto text = read_file("/etc/resolv.conf", kMaxResolvConf)) out.nameservers = nameservers_in(*text);
  return out;
}

Expected<void> block_private(api::Client& client, Remover& remover, const std::string& container, CellSpec& spec,
                             const MachineNetwork& machine, api::Until until) {
  const auto inspected = client.inspect_json(container, until);
  if (!inspected) return std::unexpected(inspected.error());
  const auto networks = json::json_pointer("/NetworkSettings/Networks");
  if (inspected->contains(networks) && inspected->at(networks).is_object())
    for (const auto& [name, network] : inspected->at(networks).items())
      if (network.is_object() && network.contains("Gateway") && network["Gateway"].is_string() &&
          !network["Gateway"].get_ref<const std::string&>().empty())
        spec.unreachable.push_back(network["Gateway"]);
  spec.unreachable.insert(spec.unreachable.end(), std::begin(kPrivateProbes), std::end(kPrivateProbes));
  spec.unreachable.insert(spec.unreachable.end(), machine.addresses.begin(), machine.addresses.end());

  std::vector<std::string> words;
  for (const auto& address : machine.addresses) words.insert(words.end(), {"also", address + "/32"});
  for (const auto& server : spec.nameservers) words.insert(words.end(), {"dns", server});
  for (const auto& opening : spec.openings) words.insert(words.end(), {"tcp", opening});
  const auto name = container + "-net";
  remover.expect(name);
  const auto done = [&]() -> Expected<void> {
    auto created = client.create(helper_body(container, spec, std::move(words)), until.deadline, name);
    if (!created) return std::unexpected(created.error());
    auto attached = client.attach(created->id, {false, true, true}, until);
    if (!attached) return std::unexpected(attached.error());
    auto pending = client.watch_exit(created->id, api::WaitFor::next_exit, until);
    if (!pending) return std::unexpected(pending.error());
    if (auto started = client.start(created->id, until); !started) return started;
    const auto exit = pending->get(until);
    if (!exit) return std::unexpected(exit.error());
    if (exit->code == 0) return {};
    return fail("proof_failed", "the private addresses could not be blocked for a cell with a network (exit status " +
                                    std::to_string(exit->code) + "): " + words_of(*attached, until));
  }();
  remover.remove(name);
  return done;
}

}  // namespace hotcell::docker
