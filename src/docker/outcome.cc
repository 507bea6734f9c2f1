#include "docker/outcome.h"

#include <cerrno>
#include <chrono>
#include <cstdio>

#include "docker/lockdown.h"
#include "protocol/failures.h"
#include "protocol/signals.h"

namespace hotcell::docker {
namespace {

using namespace protocol;
using agent::Fate;
using agent::Report;

// What the interpreter said stays with the failure, whatever it is called.
void take_exception(Failure& failure, Report& report) {
  if (!report.uncaught) return;
  failure.name = std::move(report.uncaught->name);
  failure.traceback = std::move(report.uncaught->traceback);
  if (report.uncaught->line) failure.line = report.uncaught->line;
}

bool says(const Report& report, std::string_view words) {
  return report.uncaught && report.uncaught->message.find(words) != std::string::npos;
}

// A program that died because it was refused something has met a limit, whatever its language calls that. One that was
// refused something and then died of another exception has met that exception.
bool died_of_memory(const Report& report, Language language, std::string_view err_end) {
  if (report.oom_kills > 0) return true;
  if (!report.uncaught) {
    // V8 gives up at its own limit, which follows the cell's, and says so only here.
    return language == Language::javascript && report.signal &&
           err_end.find("JavaScript heap out of memory") != err_end.npos;
  }
  // A MemoryError without a word at a line of the program comes from the interpreter itself.
  return report.uncaught->name == "MemoryError" && report.uncaught->message.empty() && report.uncaught->line > 0;
}
bool died_of_pids(const Report& report) {
  if (report.pids_refused == 0) return false;
  return !report.uncaught || report.uncaught->error_number == EAGAIN || says(report, "can't start new thread");
}
bool died_of_disk(const Report& report) {
  if (report.uncaught) return report.uncaught->error_number == ENOSPC;
  return report.disk_full;
}

void describe_own_end(Outcome& out, Report& report, const Request& request, const Limits& limits,
                      std::string_view err_end) {
  const auto limited = [&](Failure failure) {
    take_exception(failure, report);
    out.status = Status::limit_exceeded;
    out.failure = std::move(failure);
  };
  out.exit_code = report.exit_code;
  if (report.exit_code == 0) return;  // whatever it was refused, it coped
  if (died_of_memory(report, request.language, err_end))
    return limited(memory_limit_met(limits, report.memory_peak ? "most in use: " + size_text(report.memory_peak) : ""));
  if (died_of_pids(report))
    return limited(limit_met("process_limit", "pids",
                             "The program wanted more processes and threads at once than its limit of " +
                                 std::to_string(*limits.pids) + " (" + std::to_string(report.pids_refused) +
                                 " refused).",
                             "Start fewer at a time, or ask for a higher limit (limits.pids)."));
  if (died_of_disk(report)) return limited(disk_limit_met(limits));
  out.status = Status::failed;
  if (report.signal) {
    auto name = signal_name(*report.signal);
    out.signal = name;
    auto failure = protocol::failure("signal", "signal", "The program was ended by a signal (" + name + ").");
    failure.name = std::move(name);
    out.failure = std::move(failure);
    return;
  }
  if (!report.uncaught) return;
  auto failure = protocol::failure("exception", "exception", std::move(report.uncaught->message));
  take_exception(failure, report);
  out.failure = std::move(failure);
}

void describe(Outcome& out, Report& report, const Request& request, const Limits& limits, std::string_view err_end) {
  switch (report.fate) {
    case Fate::ended:
      return describe_own_end(out, report, request, limits, err_end);
    case Fate::timed_out: {
      out.status = Status::timeout;
      auto failure = protocol::timed_out(request.timeout_seconds);
      if (report.uncaught) {
        failure.traceback = std::move(report.uncaught->traceback);
        if (report.uncaught->line) failure.line = report.uncaught->line;
      }
      out.failure = std::move(failure);
      return;
    }
    case Fate::cpu_exceeded: {
      out.status = Status::timeout;
      const auto milliseconds = static_cast<double>(
          std::chrono::floor<std::chrono::milliseconds>(std::chrono::nanoseconds(report.cpu_ns)).count());
      out.failure = cpu_limit_met(limits, "used: " + seconds_text(milliseconds / 1e3));
      return;
    }
    case Fate::starved:
      out.status = Status::limit_exceeded;
      out.failure = memory_limit_met(
          limits, "it was ended when " + std::to_string(report.oom_kills) + " of its processes had died of that");
      return;
    case Fate::stopped:
      out.status = Status::cancelled;
      out.failure = cancelled().failure;
      return;
    case Fate::refused:
      out.status = Status::rejected;
      // Nothing in the request is wrong then but the choice of the image.
      out.failure = failure(report.reason.starts_with(agent::kNoInterpreter) ? "engine_unavailable" : "invalid_field",
                            "rejected", "The program could not be started: " + report.reason);
      return;
    case Fate::failed:
      out.status = Status::sandbox_error;
      out.failure = failure("internal", "sandbox",
                            report.reason.empty() ? "The cell failed." : "The cell failed: " + report.reason);
      out.failure->retryable = true;
      return;
  }
}

}  // namespace

Outcome outcome_of(Report report, const Request& request, const Limits& limits, std::string_view err_end) {
  Outcome out;
  out.limits = limits;
  out.usage.setup_seconds = static_cast<double>(report.setup_ns) / 1e9;
  out.usage.wall_seconds = static_cast<double>(report.wall_ns) / 1e9;
  out.usage.cpu_seconds = static_cast<double>(report.cpu_ns) / 1e9;
  out.usage.memory_peak_bytes = report.memory_peak;
  std::size_t text = 0;
  bool cut = false;
  if (report.uncaught) {
    text = report.uncaught->name.size() + report.uncaught->message.size() + report.uncaught->traceback.size();
    cut = report.uncaught->cut || text > *limits.result_bytes;
  }
  describe(out, report, request, limits, err_end);
  if (out.status == Status::limit_exceeded) out.exit_code.reset();
  if (cut && out.status == Status::failed) {
    auto failure = result_limit_met(limits, out);
    out.status = Status::limit_exceeded;
    out.exit_code.reset();
    out.failure = std::move(failure);
  } else if (cut && out.failure) {
    out.failure->traceback.clear();
  }
  return out;
}

Outcome refused(const Error& error, const Limits& limits) {
  Outcome out;
  out.limits = limits;
  out.status = Status::rejected;
  out.failure = failure(error.code, "rejected", error.message, error.hint);
  return out;
}

}  // namespace hotcell::docker
