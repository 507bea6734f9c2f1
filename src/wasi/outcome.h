// From what a worker reports to what the caller is told: the one place that decides which limit ended a program.
#pragma once
#include "protocol/request.h"
#include "protocol/result.h"
#include "wasi/wire.h"

namespace hotcell::wasi {

// `limits` are the effective ones, all set.
protocol::Outcome outcome_of(Report report, const protocol::Request& request, const protocol::Limits& limits);

// Of a program that never ran.
protocol::Outcome refused(const Error& error);

}  // namespace hotcell::wasi
