// hotcell: runs a program where it can do no harm, and tells what became of it.
//
// The library speaks four words:
//
//   Request   what to run: one of code, argv and wasm, with input, files, limits and a timeout.
//             Default-constructed it is Python with no network and 30 seconds; fill in what differs.
//   Engine    makes cells and runs requests in them. One object, used from many threads at once.
//   Outcome   what became of the program: a status, its output, its files, what it used. A program that crashes, loops
//             or is refused is an Outcome, never an error of the library.
//   Error     why a request was never admitted: a code that is stable, one plain sentence, and a hint.
//
// A run, given an engine:
//
//   hotcell::Request request;
//   request.code = "print(2 + 2)";
//   hotcell::Expected<hotcell::Outcome> outcome = engine.run(request, nullptr, nullptr);
//   if (!outcome) return complain(outcome.error().message, outcome.error().hint);
//   std::fwrite(outcome->out.bytes.data(), 1, outcome->out.bytes.size(), stdout);
//   return hotcell::exit_status_of(*outcome);
//
// While it runs: an OutputSink receives output as it is written, on the thread that called run(); a StopToken ends the
// run from another thread or a signal handler.
//
// As JSON: request_from_json() is strict (a typo is an answer, not a run with defaults); to_json() of a Result always
// has every member.
#pragma once

#include "base/error.h"
#include "protocol/engine.h"
#include "protocol/request.h"
#include "protocol/request_json.h"
#include "protocol/result.h"
#include "protocol/result_json.h"

namespace hotcell {

using protocol::Engine;
using protocol::Outcome;
using protocol::OutputSink;
using protocol::Request;
using protocol::Result;
using protocol::Status;
using protocol::StopToken;
using protocol::Stream;

using protocol::exit_status_of;
using protocol::request_from_json;
using protocol::result_from_json;
using protocol::to_json;

}  // namespace hotcell
