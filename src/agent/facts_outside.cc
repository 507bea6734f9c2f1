// What of the machine can be reached from the cell: interfaces, routes, device nodes.
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "agent/facts.h"
#include "agent/folder.h"
#include "agent/text.h"
#include "base/fd.h"

namespace hotcell::agent {
namespace {

constexpr std::size_t kMaxListed = 256;
constexpr int kMaxDeviceDepth = 4;

Facts::Interface& interface_of(Facts& facts, std::string_view name) {
  for (auto& known : facts.interfaces)
    if (known.name == name) return known;
  return facts.interfaces.emplace_back(Facts::Interface{std::string(name), false, {}});
}

std::string address_text(const sockaddr* address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address->sa_family == AF_INET)
    inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(address)->sin_addr, text, sizeof text);
  if (address->sa_family == AF_INET6)
    inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr, text, sizeof text);
  return text;
}

// Where the kernel answers neither netlink nor this (a sandbox in its place), the names alone.
void read_interface_names(Facts& into) {
  const auto text = read_text("/proc/self/net/dev");
  std::string_view rest = text;
  next_line(rest);
  next_line(rest);
  while (!rest.empty() && into.interfaces.size() < kMaxListed) {
    auto line = next_line(rest);
    auto name = next_part(line, ':');
    interface_of(into, next_word(name)).up = true;
  }
}

unsigned routes_beside_lo(const char* path, std::size_t interface_column, bool has_title) {
  const auto text = read_text(path);
  std::string_view rest = text;
  if (has_title) next_line(rest);
  unsigned count = 0;
  while (!rest.empty()) {
    auto line = next_line(rest);
    for (std::size_t column = 0; column < interface_column; ++column) next_word(line);
    const auto name = next_word(line);
    count += !name.empty() && name != "lo";
  }
  return count;
}

void list_devices(const std::string& path, int depth, Facts& into) {
  const auto folder = open_folder(path.c_str());
  while (const dirent* entry = next_entry(folder)) {
    struct stat about;
    if (into.devices.size() >= kMaxListed) return;
    if (fstatat(dirfd(folder.get()), entry->d_name, &about, AT_SYMLINK_NOFOLLOW) < 0) continue;
    std::string here(path);
    here.append("/").append(entry->d_name);
    if (S_ISDIR(about.st_mode) && depth < kMaxDeviceDepth) list_devices(here, depth + 1, into);
    if (!S_ISCHR(about.st_mode) && !S_ISBLK(about.st_mode)) continue;
    into.devices.push_back({here, S_ISBLK(about.st_mode), major(about.st_rdev), minor(about.st_rdev)});
  }
}

}  // namespace

void read_network(Facts& into) {
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) == 0) {
    for (const ifaddrs* item = list; item && into.interfaces.size() < kMaxListed; item = item->ifa_next) {
      auto& interface = interface_of(into, item->ifa_name);
      interface.up |= (item->ifa_flags & IFF_UP) != 0;
      if (!item->ifa_addr || interface.addresses.size() >= kMaxListed) continue;
      if (auto text = address_text(item->ifa_addr); !text.empty()) interface.addresses.push_back(std::move(text));
    }
    freeifaddrs(list);
  } else {
    read_interface_names(into);
  }
  into.routes =
      routes_beside_lo("/proc/self/net/route", 0, true) + routes_beside_lo("/proc/self/net/ipv6_route", 9, false);
}

// A datagram socket that is connected has asked the kernel for a route, and has sent nothing.
void read_reachable(Facts& into, const std::vector<std::string>& probes) {
  constexpr std::uint16_t kPort = 80;  // any but 53, to which other rules may apply
  for (const auto& probe : probes) {
    sockaddr_in v4{};
    sockaddr_in6 v6{};
    v4.sin_family = AF_INET;
    v6.sin6_family = AF_INET6;
    v4.sin_port = v6.sin6_port = htons(kPort);
    const bool is_v4 = inet_pton(AF_INET, probe.c_str(), &v4.sin_addr) == 1;
    if (!is_v4 && inet_pton(AF_INET6, probe.c_str(), &v6.sin6_addr) != 1) continue;
    const Fd socket(::socket(is_v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const auto* address = is_v4 ? reinterpret_cast<const sockaddr*>(&v4) : reinterpret_cast<const sockaddr*>(&v6);
    if (socket && connect(socket.get(), address, is_v4 ? sizeof v4 : sizeof v6) == 0) into.reachable.push_back(probe);
  }
}

void read_devices(Facts& into) { list_devices("/dev", 0, into); }

}  // namespace hotcell::agent
