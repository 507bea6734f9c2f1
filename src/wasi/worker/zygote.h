// The parent of all workers of one engine: loads everything once, then forks a worker whenever it is told to.
//
// A fork of a process that has engine, code and images ready takes well under a millisecond, while starting one afresh
// takes ten times that. The zygote runs no guest code, reads nothing but its control socket, and never changes after it
// has loaded, so every worker starts from the same state. It is single-threaded where it matters: the thread that forks
// is the only one that ever does anything, and it has the large stack that guest code needs, so a worker is born with
// it.
#pragma once
#include <filesystem>

#include "wasi/wire.h"
#include "wasi/worker/runtime.h"

namespace hotcell::wasi {

struct ZygoteOptions {
  std::filesystem::path images;
  Metering metering = Metering::off;
  bool pin = false;  // see Image::load
};

// Serves until the control socket closes, then takes all workers along. Returns the process's exit status.
int run_zygote(const ZygoteOptions& options, Channel control);

}  // namespace hotcell::wasi
