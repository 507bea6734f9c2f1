// Where the server listens: an address in words -> a listening socket.
#pragma once
#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/fd.h"

namespace hotcell::server::http {

struct Address {
  std::string path;        // of a unix socket; else empty
  std::string ip;          // "127.0.0.1", "::1": a number, never a name
  std::uint16_t port = 0;  // 0: any free one

  bool is_unix() const { return !path.empty(); }
  bool is_loopback() const;  // also every unix socket
  std::string text() const;  // "unix:/run/x.sock", "127.0.0.1:80", "[::1]:80"
};

// "unix:PATH", "/PATH", "127.0.0.1:PORT", "[::1]:PORT", "localhost:PORT", ":PORT" (loopback), each also after
// "http://".
Expected<Address> parse_address(std::string_view text);

// A bound socket. The file of a unix socket is removed with it, unless another server has taken its place since.
class Listener {
 public:
  // Only one server listens at a path: a lock beside the socket's file tells a dead server's file from a living one's.
  static Expected<Listener> open(const Address& address, mode_t unix_mode);
  // A socket that is bound already (systemd's).
  static Expected<Listener> adopt(Fd fd);
  Listener(Listener&&) = default;
  Listener& operator=(Listener&&) = delete;
  ~Listener();

  int fd() const { return fd_.get(); }
  const Address& address() const { return address_; }  // with the port that was really taken

 private:
  Listener(Fd fd, Address address, Fd lock)
      : fd_(std::move(fd)), address_(std::move(address)), lock_(std::move(lock)) {}
  Fd fd_;
  Address address_;
  Fd lock_;  // none: the file is not ours to remove
};

}  // namespace hotcell::server::http
