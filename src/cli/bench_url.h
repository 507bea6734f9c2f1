// hotcell bench --url: how long the same program takes through the service.
#pragma once
#include <string>

#include "protocol/request.h"

namespace hotcell::cli {

struct UrlBench {
  std::string url;
  unsigned runs = 1000, clients = 1, warmup = 20;
  double seconds = 0;  // instead of a number of runs
  double pace = 0;     // requests a second, begun on time while there is a client free; 0: each after the one before
  unsigned batch = 0;  // programs in one request to /v1/batch; 0: one request each
  unsigned idle = 0;   // connections beside that do nothing
  std::string expect;
  bool has_expect = false, json = false;
};

int bench_url(UrlBench bench, const protocol::Request& request);

}  // namespace hotcell::cli
