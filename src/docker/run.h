// One program in one cell: what it is given, what it says while it runs, what it leaves.
//
// The cell's word is hostile. Its streams stop at the run's limits, its report and its files are capped and compared
// with what has been seen of them, and a cell that sends what it must not is lost, which costs this run and no other.
// Nothing here waits longer than the run may take and a few seconds.
#pragma once
#include "agent/wire/wire.h"
#include "docker/cell.h"
#include "protocol/engine.h"

namespace hotcell::docker {

struct Ran {
  protocol::Outcome outcome;
  bool cell_is_well = false;  // idle again: it may be cleaned and used once more
  bool cell_ended = false;    // in the middle of the run
  bool never_ran = false;     // nothing of the program has happened: it may be tried in another cell
};

Ran run_in(Cell& cell, const agent::Order& order, const protocol::Request& request, const protocol::Limits& limits,
           protocol::OutputSink* sink, const protocol::StopToken* stop);

}  // namespace hotcell::docker
