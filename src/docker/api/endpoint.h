// Where the daemon listens.
#pragma once
#include <string>
#include <string_view>

#include "base/error.h"

namespace hotcell::docker::api {

struct Endpoint {
  std::string socket = "/var/run/docker.sock";

  // From the words of DOCKER_HOST: "unix:///path"; empty: the default. Error "docker_bad_host" for everything else:
  // ssh:// and tcp:// are other people's machines, where binding our agent into a container means nothing.
  static Expected<Endpoint> parse(std::string_view docker_host);
  // From the environment variable DOCKER_HOST.
  static Expected<Endpoint> from_environment();
};

}  // namespace hotcell::docker::api
