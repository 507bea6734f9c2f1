// The life of one request, the same for every door: read it, choose its engine, get its packages, run it, say what
// became of it.
#pragma once
#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/error.h"
#include "base/hash.h"
#include "exec/aside.h"
#include "exec/packages.h"
#include "exec/reading.h"
#include "exec/route.h"
#include "protocol/engine.h"
#include "protocol/result.h"
#include "validate/code_memo.h"

namespace hotcell::exec {

struct ExecutorOptions {
  Engines engines;
  // Gives the engine, started when it is first asked for.
  std::function<Expected<protocol::Engine*>(EngineChoice)> open;
  std::string policy = "standard";  // for checks: enforce
  ReadingRules reading;
  PackageSource packages;
};

protocol::Failure refusal_of(const validate::Report& report);
protocol::Failure refusal_of(const Error& denied);

// Thread-safe: run() works on its caller's thread, and may be called from many at once.
class Executor {
 public:
  explicit Executor(ExecutorOptions options);

  // An Error: the request was never admitted (a problem). Everything after that is a Result.
  Expected<protocol::Result> run(const protocol::Request& request, protocol::OutputSink* sink,
                                 const protocol::StopToken* stop);
  // What is kept of programs that were read; bounded.
  std::size_t readings_bytes() const { return memo_.footprint(); }

 private:
  struct Plan;
  class Life;
  using SharedReading = std::shared_ptr<const Reading>;
  Plan plan(const protocol::Request& request);
  SharedReading read(const protocol::Request& request, const Plan& plan);
  validate::ConfirmSyntax confirmed_by_wasi();
  const ExecutorOptions options_;
  validate::CodeMemo<Reading> memo_;
  std::atomic<bool> has_read_ = false;  // the rules are in memory
  Aside aside_;
};

}  // namespace hotcell::exec
