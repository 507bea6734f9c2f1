// What a builder is given to reach the indexes: their URLs without secrets, the secrets as files, the addresses that
// must be open to it; and what has to be hidden in whatever it says.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/deadline.h"
#include "docker/order.h"
#include "install/netrc.h"
#include "install/options.h"

namespace hotcell::install {

struct IndexAccess {
  std::string index_url, npm_registry;  // empty: the tool's own default
  std::vector<std::string> extra_index_urls;
  std::string netrc;  // for uv; empty: no credentials
  std::string npmrc;
  std::string ca_pem;
  docker::Variables env;  // the proxy
  // Every address of every host that the operator named, and only its port: these may be private.
  std::vector<std::string> openings, hosts;
  std::vector<std::string> secrets;

  // Reads the files that the options name, anew each time, and looks up hosts. Errors: invalid_config,
  // dependency_network.
  static Expected<IndexAccess> prepare(const InstallOptions& options, Deadline deadline);

  // The text with every secret, and every password in a URL, made unreadable.
  std::string masked(std::string_view text) const;
};

}  // namespace hotcell::install
