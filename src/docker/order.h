// From a request to what an agent is told.
#pragma once
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/wire/wire.h"
#include "base/error.h"
#include "docker/channel.h"
#include "protocol/request.h"

namespace hotcell::docker {

using Variables = std::vector<std::pair<std::string, std::string>>;

// `limits` are the effective ones, `env` the operator's variables; the request's own win. Errors: a field that cannot
// be honoured ("unsupported_by_engine", "invalid_field").
Expected<agent::Order> order_of(const protocol::Request& request, const protocol::Limits& limits, const Variables& env,
                                bool live_input);

// The order and the files, the program's own among them; not its input, and not `go`.
Expected<void> send_order(Channel& channel, const agent::Order& order, const protocol::Request& request,
                          api::Until until);

agent::Language language_of(const protocol::Request& request);

}  // namespace hotcell::docker
