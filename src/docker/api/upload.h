// A tar on its way to the daemon, while the daemon already tells how it goes.
//
// Both directions at once: a daemon that refuses (no space, no tar) says so before it has read everything, and one that
// waits for us to read its progress must not wait for ever.
#pragma once
#include <functional>
#include <string>

#include "base/error.h"
#include "docker/api/connection.h"
#include "docker/api/line_splitter.h"
#include "docker/api/until.h"

namespace hotcell::docker::api {

class Upload {
 public:
  using Line = std::function<void(std::string_view)>;

  // The head has been sent on `connection`; both it and `tar_fd` are somebody else's.
  Upload(Connection& connection, int tar_fd) : connection_(connection), tar_fd_(tar_fd) {}

  // Until the answer is complete. A good answer's lines go to `line`; of a refusal the body is in refused().
  Expected<void> run(Until until, const Line& line);
  const std::string& refused() const { return refused_; }

 private:
  Expected<void> read_tar();
  void send();
  Expected<void> receive(const Line& line);

  Connection& connection_;
  int tar_fd_;
  std::string unsent_;
  bool tar_ended_ = false;
  LineSplitter lines_;
  std::size_t received_ = 0;
  std::string refused_;
};

}  // namespace hotcell::docker::api
