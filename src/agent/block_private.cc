#include "agent/block_private.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <linux/fib_rules.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <bit>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"

namespace hotcell::agent {
namespace {

struct Range {
  in_addr network{};
  unsigned bits = 32;
};

// What the public Internet does not route: RFC 6890 and its successors, multicast, and what is reserved.
constexpr const char* kNotPublic[] = {
    "0.0.0.0/8",    "10.0.0.0/8",     "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12",
    "192.0.0.0/24", "192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/4",    "240.0.0.0/4",
};

// Before the table of all routes (32766) and after the cell's own addresses (0).
constexpr std::uint32_t kOpenPriority = 100, kClosedPriority = 200;
constexpr std::uint16_t kDnsPort = 53;
// Netlink is answered by the kernel before send() returns; whoever waits longer waits for nobody.
constexpr timeval kAnswerTime{5, 0};

// An address and a port there that stays open, by UDP, TCP or both.
struct Opening {
  Range to;
  std::uint16_t port = 0;
  std::vector<std::uint8_t> protocols;
};

bool parse(std::string_view text, Range& out) {
  const auto slash = text.find('/');
  const std::string address(text.substr(0, slash));
  if (inet_pton(AF_INET, address.c_str(), &out.network) != 1) return false;
  if (slash == text.npos) return true;
  const std::string bits(text.substr(slash + 1));
  char* end = nullptr;
  const auto value = std::strtoul(bits.c_str(), &end, 10);
  out.bits = static_cast<unsigned>(value);
  return !bits.empty() && *end == 0 && value <= 32;
}

bool parse_with_port(std::string_view text, Opening& out) {
  const auto colon = text.rfind(':');
  if (colon == text.npos || !parse(text.substr(0, colon), out.to) || out.to.bits != 32) return false;
  const auto digits = text.substr(colon + 1);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), out.port);
  return error == std::errc() && end == digits.data() + digits.size() && out.port != 0;
}

class Rules {
 public:
  Rules() : socket_(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)) {
    setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &kAnswerTime, sizeof kAnswerTime);
  }

  // 0, or an errno.
  int forbid(const Range& range) {
    begin(AF_INET, kClosedPriority, FR_ACT_PROHIBIT);
    destination(range);
    return send();
  }
  int forbid_all_of_v6() {
    begin(AF_INET6, kClosedPriority, FR_ACT_PROHIBIT);
    return send();
  }
  int open(const Range& range, std::uint8_t protocol, std::uint16_t port) {
    begin(AF_INET, kOpenPriority, FR_ACT_TO_TBL);
    destination(range);
    attribute(FRA_IP_PROTO, &protocol, sizeof protocol);
    const fib_rule_port_range ports{port, port};
    attribute(FRA_DPORT_RANGE, &ports, sizeof ports);
    const std::uint32_t table = RT_TABLE_MAIN;
    attribute(FRA_TABLE, &table, sizeof table);
    return send();
  }

 private:
  void begin(unsigned char family, std::uint32_t priority, unsigned char action) {
    message_.assign(NLMSG_SPACE(sizeof(fib_rule_hdr)), 0);
    auto& rule = *static_cast<fib_rule_hdr*>(NLMSG_DATA(header()));
    rule.family = family;
    rule.action = action;
    attribute(FRA_PRIORITY, &priority, sizeof priority);
  }
  void destination(const Range& range) {
    static_cast<fib_rule_hdr*>(NLMSG_DATA(header()))->dst_len = static_cast<unsigned char>(range.bits);
    attribute(FRA_DST, &range.network, sizeof range.network);
  }
  void attribute(unsigned short type, const void* value, std::size_t size) {
    rtattr head{};
    head.rta_type = type;
    head.rta_len = static_cast<unsigned short>(RTA_LENGTH(size));
    const auto at = message_.size();
    message_.resize(at + RTA_SPACE(size), 0);
    std::memcpy(message_.data() + at, &head, sizeof head);
    std::memcpy(message_.data() + at + RTA_LENGTH(0), value, size);
  }
  nlmsghdr* header() { return reinterpret_cast<nlmsghdr*>(message_.data()); }

  int send() {
    auto& head = *header();
    head.nlmsg_len = static_cast<std::uint32_t>(message_.size());
    head.nlmsg_type = RTM_NEWRULE;
    head.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
    if (::send(socket_.get(), message_.data(), message_.size(), 0) < 0) return errno;
    alignas(nlmsghdr) char answer[4096];
    const ssize_t got = recv(socket_.get(), answer, sizeof answer, 0);
    if (got < 0) return errno;
    const auto* reply = reinterpret_cast<const nlmsghdr*>(answer);
    if (static_cast<std::size_t>(got) < NLMSG_LENGTH(sizeof(nlmsgerr)) || reply->nlmsg_type != NLMSG_ERROR)
      return EPROTO;
    const int error = -static_cast<const nlmsgerr*>(NLMSG_DATA(reply))->error;
    return error == EEXIST ? 0 : error;
  }

  Fd socket_;
  std::vector<char> message_;
};

// The networks that this namespace is in: the gateway there is the machine, the others are its neighbours.
std::vector<Range> own_networks() {
  std::vector<Range> out;
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) return out;
  for (const ifaddrs* item = list; item; item = item->ifa_next) {
    if (!item->ifa_addr || item->ifa_addr->sa_family != AF_INET || !item->ifa_netmask ||
        (item->ifa_flags & IFF_LOOPBACK))
      continue;
    const auto address = reinterpret_cast<const sockaddr_in*>(item->ifa_addr)->sin_addr.s_addr;
    const auto mask = reinterpret_cast<const sockaddr_in*>(item->ifa_netmask)->sin_addr.s_addr;
    out.push_back({{address & mask}, static_cast<unsigned>(std::popcount(mask))});
  }
  freeifaddrs(list);
  return out;
}

int complain(const std::string& what, int error) {
  std::fprintf(stderr, "cannot block private addresses: %s: %s\n", what.c_str(), std::strerror(error));
  return 1;
}

}  // namespace

int block_private(int count, char** words) {
  Rules rules;
  std::vector<Range> closed = own_networks();
  std::vector<Opening> open;
  if (closed.empty()) return complain("this namespace is in no network", ENONET);
  for (const char* text : kNotPublic) parse(text, closed.emplace_back());
  for (int i = 0; i + 1 < count; i += 2) {
    const std::string_view kind = words[i], what = words[i + 1];
    Opening opening{{}, kDnsPort, {IPPROTO_TCP}};
    const bool right = kind == "tcp" ? parse_with_port(what, opening) : parse(what, opening.to);
    if (!right || (kind != "dns" && kind != "tcp" && kind != "also"))
      return complain(std::string(words[i]) + " " + words[i + 1], EINVAL);
    if (kind == "dns") opening.protocols.push_back(IPPROTO_UDP);
    if (kind == "also")
      closed.push_back(opening.to);
    else
      open.push_back(std::move(opening));
  }
  // First what is forbidden: at no moment is more open than shall be.
  for (const auto& range : closed)
    if (const int error = rules.forbid(range)) return complain("no rule can be added", error);
  if (const int error = rules.forbid_all_of_v6(); error && error != EAFNOSUPPORT && error != EOPNOTSUPP)
    return complain("no rule can be added for IPv6", error);
  for (const auto& opening : open)
    for (const auto protocol : opening.protocols)
      if (const int error = rules.open(opening.to, protocol, opening.port))
        return complain("no rule can be added for what stays open", error);
  return 0;
}

}  // namespace hotcell::agent
