// What everything that makes cells stands on: the daemon's address, the agent, the profile, and who we are.
#pragma once
#include <filesystem>
#include <string>

#include "docker/maker.h"
#include "docker/owner.h"

namespace hotcell::docker {

struct Ground {
  struct Options {
    std::string docker_host;               // empty: what DOCKER_HOST says, else the usual socket
    std::string runtime;                   // empty: the daemon's default
    std::filesystem::path agent, seccomp;  // empty: the one beside this executable; the one that is built in
    std::filesystem::path state;           // empty: see default_state_folder()
  };

  // Looks at what is here, not at the daemon.
  static Expected<Ground> lay(const Options& options);

  MakerOptions make;
  Home home;
  Owner owner;
};

}  // namespace hotcell::docker
