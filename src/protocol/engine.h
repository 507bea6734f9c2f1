// The seam between those who want programs run and those who can run them. Two engines stand behind it, and a fake in
// the tests; nobody above it knows which one answers.
#pragma once
#include <functional>
#include <span>
#include <string_view>

#include "base/error.h"
#include "base/stop_token.h"
#include "protocol/request.h"
#include "protocol/result.h"

namespace hotcell::protocol {

enum class Stream { out, err };

// Receives a run's output while it runs. Called on the thread that called Engine::run. A sink that blocks holds up the
// program, not the engine.
class OutputSink {
 public:
  virtual ~OutputSink() = default;
  virtual void output(Stream stream, std::span<const char> bytes) = 0;
  // A cell has been found, and the program begins: before its first output.
  virtual void started(std::string_view engine, std::string_view start) { (void)engine, (void)start; }
  // Where the program's standard input comes from when the request brings none: a descriptor that is read only when the
  // program reads, or -1 for an empty input.
  virtual int input_fd() { return -1; }
};

using hotcell::StopToken;  // asked by the engine whether to give up

class Engine {
 public:
  virtual ~Engine() = default;
  virtual std::string_view name() const = 0;

  // Runs one program to its end and says what became of it. May be called from many threads at once. An Error means
  // that the request was never admitted (a field that this engine cannot honour, no capacity before the deadline);
  // everything after that is an Outcome. With a sink, output arrives there as it is written, up to limits.output_bytes
  // a stream; the Outcome holds the kept output in either case.
  virtual Expected<Outcome> run(const Request& request, OutputSink* sink, const StopToken* stop) = 0;
};

}  // namespace hotcell::protocol
