// How an execution's ending becomes an answer, for every door that gives one.
#pragma once
#include <memory>

#include "server/call.h"
#include "server/record.h"

namespace hotcell::server {

http::Response answer_of(const Record::Ending& ending, const std::string& request_id);

// The program ends when its client leaves.
void cancel_when_gone(const Call& call, const std::shared_ptr<Record>& record);

}  // namespace hotcell::server
