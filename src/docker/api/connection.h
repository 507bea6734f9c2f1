// One connection to the daemon: a non-blocking unix socket, a request out, an answer in, and then maybe a raw stream.
//
// A new one for every call. Keeping them would save some 20 microseconds of a call's 90 or more, and bring connections
// that died while nobody looked.
#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/fd.h"
#include "docker/api/endpoint.h"
#include "docker/api/http_reader.h"
#include "docker/api/until.h"

namespace hotcell::docker::api {

// Waits until one of `events` (of poll) is true of `fd`. Errors: "docker_not_answering", "stopped".
Expected<void> wait_for(int fd, short events, Until until);

class Connection {
 public:
  // Errors: "docker_unreachable", "docker_permission", "docker_not_answering", "stopped".
  static Expected<std::unique_ptr<Connection>> open(const Endpoint& endpoint, Until until);
  explicit Connection(Fd socket) : socket_(std::move(socket)) {}

  // ---- Raw bytes. One thread may send while another one receives. ----
  Expected<void> send(std::string_view bytes, Until until);
  // What the socket takes now, maybe 0. Error "docker_unreachable": nobody is there any more.
  Expected<std::size_t> send_some(std::string_view bytes);
  // Nothing more will be sent; the other side sees the end.
  Expected<void> end_sending();
  // Appends at least one byte to `out`. False: the other side has closed.
  Expected<bool> receive(std::string& out, Until until);

  // ---- The answer ----
  Expected<void> read_head(Until until);
  // Appends at least one byte of the body. False: it is complete. "docker_not_answering" leaves it as it was: ask
  // again.
  Expected<bool> read_body(std::string& out, Until until);
  // The whole body. Error "docker_protocol" past `cap`.
  Expected<std::string> read_all_body(std::size_t cap, Until until);
  const HttpReader& answer() const { return reader_; }
  // The connection is a raw stream from here on: what came of it together with the head.
  std::string take_rest() { return reader_.take_rest(); }

  int fd() const { return socket_.get(); }

 private:
  Fd socket_;
  HttpReader reader_;
};

}  // namespace hotcell::docker::api
