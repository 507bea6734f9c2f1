#include "server/answers.h"

namespace hotcell::server {

http::Response answer_of(const Record::Ending& ending, const std::string& request_id) {
  if (ending.problem) return problem_response(*ending.problem, request_id);
  http::Response response;
  response.body = ending.body;
  return response;
}

void cancel_when_gone(const Call& call, const std::shared_ptr<Record>& record) {
  call.exchange->when_gone([record] { record->cancel(); });
}

}  // namespace hotcell::server
