// What the service needs of those who run programs: the narrow seam below it. The real one is an exec::Executor over
// the engines of this machine; tests have a hand-written one.
#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "protocol/engine.h"
#include "protocol/request.h"
#include "protocol/result.h"

namespace hotcell::server {

struct LanguageFacts {
  std::string name;
  std::vector<std::string> aliases;
  std::string version;
  unsigned warm = 0;  // cells that are ready
};

// What one engine can do, for /v1/capabilities and for /readyz.
struct EngineFacts {
  std::string name;
  std::string version;
  bool ready = false;
  std::string why_not;  // of one that is not ready: a sentence
  std::vector<LanguageFacts> languages;
  std::vector<std::pair<std::string, std::uint64_t>> cells;  // "ready", "busy", …: for operators
  std::uint64_t proofs_failed = 0, removals_failed = 0;      // of cells, since the start
  protocol::Limits standard, most;
  std::vector<std::pair<std::string, bool>> features;          // "sessions", "network", …
  std::vector<std::pair<std::string, std::string>> isolation;  // what was found out about it, not what is hoped for
};

// Thread-safe.
class Backend {
 public:
  virtual ~Backend() = default;
  // Runs one program on the caller's thread, to its end. An Error: it was never admitted.
  virtual Expected<protocol::Result> run(const protocol::Request& request, protocol::OutputSink* sink,
                                         const protocol::StopToken* stop) = 0;
  // Answers at once, with what is known now.
  virtual std::vector<EngineFacts> engines() = 0;
  // What is kept of programs that were read, for when they come again.
  virtual std::uint64_t readings_bytes() const { return 0; }
};

}  // namespace hotcell::server
