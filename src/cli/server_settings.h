// The `server:` section: how the service is reached, and how much it takes on.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

namespace hotcell::cli {

struct ServerSettings {
  std::vector<std::string> listen;         // empty: the unix socket and a loopback port, see serve.h
  std::vector<std::string> health_listen;  // for /livez and the like only
  std::filesystem::path state;             // empty: default_state_folder()
  std::filesystem::path tokens;            // empty: tokens.json in the state folder, if it is there
  std::string socket_mode = "0600";
  std::vector<std::string> allowed_origins, allowed_hosts;
  std::filesystem::path modules;
  unsigned max_running = 0;  // 0: as many as the WASI engine has workers
  unsigned max_queued = 1024;
  double queue_seconds = 30, drain_seconds = 30, retention_seconds = 600;
  bool sandboxfusion = false;
  std::string log_level = "info", log_format = "auto";
  double slow_seconds = 60;
  bool audit = false;
};

}  // namespace hotcell::cli
