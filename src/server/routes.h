// Which paths there are, and who answers them.
#pragma once
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "server/call.h"

namespace hotcell::server {

struct Route {
  std::string method;   // "GET" answers HEAD too
  std::string pattern;  // "/v1/executions/{id}/files/{path*}": {name} is one segment, {name*} all that follow
  std::function<void(const Call&)> handler;
  bool open = false;            // needs no token: health, metrics, the description of the API
  std::string facade = "";      // whose protocol it speaks, if not ours
  bool any_media_type = false;  // its body need not be JSON
  bool for_operators = false;
};

class Routes {
 public:
  void add(Route route) { routes_.push_back(std::move(route)); }

  struct Match {
    const Route* route = nullptr;
    std::vector<std::string> parameters;
    std::vector<std::string> allowed;  // methods that the path has, when this one is not among them
    bool bad_encoding = false;
  };
  Match find(std::string_view method, std::string_view path) const;
  std::span<const Route> all() const { return routes_; }

 private:
  std::vector<Route> routes_;
};

}  // namespace hotcell::server
