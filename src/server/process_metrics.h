// What Prometheus' clients tell of their process: process_resident_memory_bytes and its like.
#pragma once
#include "server/metrics.h"

namespace hotcell::server {

double resident_bytes();
// What is in use of the heap; the rest of it is kept for later.
double allocated_bytes();
void add_process_metrics(Metrics& metrics);

}  // namespace hotcell::server
