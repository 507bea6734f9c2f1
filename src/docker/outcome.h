// From what an agent reports to what the caller is told: the one place that decides which limit ended a program.
#pragma once
#include <string_view>

#include "agent/wire/wire.h"
#include "base/error.h"
#include "protocol/request.h"
#include "protocol/result.h"

namespace hotcell::docker {

// Everything but the output, the files and the engine. `limits` are the effective ones, all set but those that may be
// absent; `err_end` is the end of what the program wrote to stderr.
protocol::Outcome outcome_of(agent::Report report, const protocol::Request& request, const protocol::Limits& limits,
                             std::string_view err_end);

// Of a program that never ran.
protocol::Outcome refused(const Error& error, const protocol::Limits& limits);

}  // namespace hotcell::docker
