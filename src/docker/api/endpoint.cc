#include "docker/api/endpoint.h"

#include <sys/un.h>

#include <cstdlib>

namespace hotcell::docker::api {

Expected<Endpoint> Endpoint::parse(std::string_view docker_host) {
  constexpr std::string_view kUnix = "unix://";
  Endpoint out;
  if (docker_host.empty()) return out;
  const auto refuse = [&](std::string_view why) {
    return fail("docker_bad_host",
                "cannot use the Docker daemon at " + std::string(docker_host) + ": " + std::string(why),
                "set DOCKER_HOST to the unix socket of a daemon on this machine, such as unix:///var/run/docker.sock");
  };
  if (!docker_host.starts_with(kUnix))
    return refuse("hotcell works with a daemon on this machine only, at unix:///path");
  out.socket = docker_host.substr(kUnix.size());
  if (!out.socket.starts_with('/')) return refuse("the path of its socket must begin with /");
  if (out.socket.size() >= sizeof(sockaddr_un::sun_path)) return refuse("the path of its socket is too long for Linux");
  if (out.socket.find('\0') != std::string::npos) return refuse("the path of its socket has a zero byte in it");
  return out;
}

Expected<Endpoint> Endpoint::from_environment() {
  const char* host = std::getenv("DOCKER_HOST");
  return parse(host ? host : "");
}

}  // namespace hotcell::docker::api
