#include "server/http/listen.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <charconv>
#include <cstring>
#include <filesystem>

namespace hotcell::server::http {

namespace {

constexpr int kBacklog = 1024;

std::unexpected<Error> bad(std::string_view text) {
  return fail("invalid_config", "\"" + std::string(text) + "\" is not an address to listen at",
              "unix:PATH, 127.0.0.1:PORT or [::1]:PORT");
}

union AnySocketAddress {
  sockaddr any;
  sockaddr_in v4;
  sockaddr_in6 v6;
  sockaddr_un local;
};

socklen_t to_sockaddr(const Address& address, AnySocketAddress& out) {
  std::memset(&out, 0, sizeof out);
  if (address.is_unix()) {
    out.local.sun_family = AF_UNIX;
    std::memcpy(out.local.sun_path, address.path.data(), address.path.size());  // checked by parse_address()
    return static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address.path.size() + 1);
  }
  if (inet_pton(AF_INET, address.ip.c_str(), &out.v4.sin_addr) == 1) {
    out.v4.sin_family = AF_INET;
    out.v4.sin_port = htons(address.port);
    return sizeof out.v4;
  }
  inet_pton(AF_INET6, address.ip.c_str(), &out.v6.sin6_addr);
  out.v6.sin6_family = AF_INET6;
  out.v6.sin6_port = htons(address.port);
  return sizeof out.v6;
}

Address from_sockaddr(const AnySocketAddress& in, socklen_t size) {
  Address out;
  char text[INET6_ADDRSTRLEN] = {};
  if (in.any.sa_family == AF_UNIX) {
    if (size > offsetof(sockaddr_un, sun_path)) out.path = in.local.sun_path;
  } else if (in.any.sa_family == AF_INET) {
    out.ip = inet_ntop(AF_INET, &in.v4.sin_addr, text, sizeof text);
    out.port = ntohs(in.v4.sin_port);
  } else if (in.any.sa_family == AF_INET6) {
    out.ip = inet_ntop(AF_INET6, &in.v6.sin6_addr, text, sizeof text);
    out.port = ntohs(in.v6.sin6_port);
  }
  return out;
}

}  // namespace

bool Address::is_loopback() const { return is_unix() || ip.starts_with("127.") || ip == "::1"; }

std::string Address::text() const {
  if (is_unix()) return "unix:" + path;
  const bool v6 = ip.find(':') != ip.npos;
  return (v6 ? "[" + ip + "]" : ip) + ":" + std::to_string(port);
}

Expected<Address> parse_address(std::string_view text) {
  Address out;
  auto rest = text;
  if (rest.starts_with("unix:")) rest.remove_prefix(5);
  if (rest.starts_with('/') || text.starts_with("unix:")) {
    while (rest.starts_with("//")) rest.remove_prefix(1);
    if (rest.empty() || rest.find('\0') != rest.npos) return bad(text);
    if (rest.size() >= sizeof(sockaddr_un::sun_path))
      return fail("invalid_config", "the socket's path has more than 107 bytes: " + std::string(text),
                  "choose a shorter one");
    out.path = rest;
    return out;
  }
  if (rest.starts_with("http://")) rest.remove_prefix(7);
  if (rest.ends_with('/')) rest.remove_suffix(1);
  const auto colon = rest.rfind(':');
  if (colon == rest.npos) return bad(text);
  auto host = rest.substr(0, colon);
  const auto port = rest.substr(colon + 1);
  const auto parsed = std::from_chars(port.data(), port.data() + port.size(), out.port);
  if (port.empty() || parsed.ec != std::errc{} || parsed.ptr != port.data() + port.size()) return bad(text);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  if (host.empty() || host == "localhost") host = "127.0.0.1";
  out.ip = host;
  in_addr v4{};
  in6_addr v6{};
  if (inet_pton(AF_INET, out.ip.c_str(), &v4) != 1 && inet_pton(AF_INET6, out.ip.c_str(), &v6) != 1) return bad(text);
  return out;
}

Expected<Listener> Listener::open(const Address& address, mode_t unix_mode) {
  AnySocketAddress where;
  const auto size = to_sockaddr(address, where);
  Fd lock;
  if (address.is_unix()) {
    const auto folder = std::filesystem::path(address.path).parent_path();
    std::error_code ignored;
    if (!folder.empty() && std::filesystem::create_directories(folder, ignored)) ::chmod(folder.c_str(), 0755);
    const auto lock_path = address.path + ".lock";
    lock = Fd(::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!lock) return fail_errno("cannot open " + lock_path);
    if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0)
      return fail("address_in_use", "another hotcelld listens at " + address.path,
                  "stop it, or give another address with --listen");
    // Whoever left this file is dead: its lock is ours.
    struct stat old{};
    if (::lstat(address.path.c_str(), &old) == 0) {
      if (!S_ISSOCK(old.st_mode))
        return fail("invalid_config", address.path + " is there and is not a socket", "give another path");
      ::unlink(address.path.c_str());
    }
  }
  Fd fd(::socket(where.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return fail_errno("cannot make a socket for " + address.text());
  const int one = 1;
  if (!address.is_unix()) ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  // Only its owner may connect until the mode is what was asked for.
  const mode_t before = address.is_unix() ? ::umask(0177) : 0;
  const int bound = ::bind(fd.get(), &where.any, size);
  const int error = errno;
  if (address.is_unix()) ::umask(before);
  if (bound != 0)
    return fail_errno("cannot listen at " + address.text(), error,
                      error == EADDRINUSE ? "another program listens there: give another address with --listen" : "");
  if (address.is_unix() && ::chmod(address.path.c_str(), unix_mode) != 0)
    return fail_errno("cannot set the mode of " + address.path);
  if (::listen(fd.get(), kBacklog) != 0) return fail_errno("cannot listen at " + address.text());
  auto taken = address;
  if (!address.is_unix()) {
    socklen_t length = sizeof where;
    if (::getsockname(fd.get(), &where.any, &length) == 0) taken = from_sockaddr(where, length);
  }
  return Listener(std::move(fd), std::move(taken), std::move(lock));
}

Expected<Listener> Listener::adopt(Fd fd) {
  AnySocketAddress where;
  std::memset(&where, 0, sizeof where);
  socklen_t length = sizeof where;
  int listening = 0;
  socklen_t size = sizeof listening;
  if (::getsockname(fd.get(), &where.any, &length) != 0 ||
      ::getsockopt(fd.get(), SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) != 0 || !listening)
    return fail("invalid_config", "descriptor " + std::to_string(fd.get()) + " is not a listening socket");
  ::fcntl(fd.get(), F_SETFL, ::fcntl(fd.get(), F_GETFL) | O_NONBLOCK);
  ::fcntl(fd.get(), F_SETFD, FD_CLOEXEC);
  auto address = from_sockaddr(where, length);
  return Listener(std::move(fd), std::move(address), Fd());
}

Listener::~Listener() {
  if (lock_ && address_.is_unix()) ::unlink(address_.path.c_str());
}

}  // namespace hotcell::server::http
