// Which image a name means today: looked up once, looked up again in the background, so that no run waits for it.
#pragma once
#include <map>
#include <mutex>
#include <string>

#include "docker/api/client.h"

namespace hotcell::docker {

class Images {
 public:
  // Its id. Asks the daemon where the name is new or was last seen missing.
  Expected<std::string> id_of(const std::string& name, api::Client& client, api::Until until);
  // Every known name again: a tag may have moved.
  void refresh(api::Client& client, api::Until until);

 private:
  std::mutex mutex_;
  std::map<std::string, std::string> ids_;
};

}  // namespace hotcell::docker
