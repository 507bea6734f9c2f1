// One request on its way to the handler that answers it.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "server/admission.h"
#include "server/http/exchange.h"
#include "server/tenant.h"

namespace hotcell::server {

struct Call {
  std::shared_ptr<http::Exchange> exchange;
  std::shared_ptr<Tenant> tenant;       // nullptr on open routes
  std::vector<std::string> parameters;  // what the {…} of the route's pattern stand for, decoded

  http::Request& request() const { return exchange->request(); }
  void respond(http::Response response) const { exchange->respond(std::move(response)); }
  void refuse(protocol::Problem problem, std::optional<unsigned> retry_after = std::nullopt) const;
  void refuse(Refusal refusal) const { refuse(std::move(refusal.problem), refusal.retry_after); }
};

// A problem as an answer: with the request's id, and with Retry-After where trying again makes sense.
http::Response problem_response(protocol::Problem problem, const std::string& request_id,
                                std::optional<unsigned> retry_after = std::nullopt);

}  // namespace hotcell::server
