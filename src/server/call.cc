#include "server/call.h"

namespace hotcell::server {

http::Response problem_response(protocol::Problem problem, const std::string& request_id,
                                std::optional<unsigned> retry_after) {
  constexpr unsigned kRetry = 5;
  problem.request_id = request_id;
  if (!retry_after && (problem.http_status == 429 || problem.http_status == 503)) retry_after = kRetry;
  return http::Response::problem(problem, retry_after);
}

void Call::refuse(protocol::Problem problem, std::optional<unsigned> retry_after) const {
  exchange->respond(problem_response(std::move(problem), exchange->request_id, retry_after));
}

}  // namespace hotcell::server
