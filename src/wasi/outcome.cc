#include "wasi/outcome.h"

#include <algorithm>
#include <cstdio>

#include "protocol/failures.h"
#include "protocol/signals.h"

namespace hotcell::wasi {
namespace {

using namespace protocol;

Failure exception_of(Report& report) {
  Failure out;
  out.code = out.kind = "exception";
  out.name = std::move(report.error_name);
  out.message = std::move(report.error_message);
  out.traceback = std::move(report.error_traceback);
  if (report.error_line) out.line = report.error_line;
  return out;
}

// A program that died because it was refused something has met a limit, whatever its language calls that.
bool died_of_memory(const Report& report) {
  if (report.uncaught && report.error_name == "MemoryError") {
    // A MemoryError without a word at a line of the program comes from the interpreter, which knows of some requests
    // that they are too large without trying. Without a line it is the parser's, and means nesting.
    return report.growth_refused || (report.error_message.empty() && report.error_line > 0);
  }
  // What CPython 3.11 says when there is no memory for one more frame.
  if (report.uncaught && report.error_name == "SystemError" &&
      report.error_message == "error return without exception set")
    return report.growth_refused;
  return report.growth_refused && (report.fate == Fate::trapped || report.fate == Fate::not_started);
}
bool died_of_disk(const Report& report) {
  return report.disk_refused && report.uncaught && report.error_name == "OSError";
}

void describe_failure(Outcome& out, Report& report, const Request& request, const Limits& limits) {
  const auto limited = [&](Failure failure) {
    out.status = Status::limit_exceeded;
    out.failure = std::move(failure);
  };
  if (died_of_memory(report)) {
    auto failure = memory_limit_met(limits);
    failure.name = std::move(report.error_name);
    failure.traceback = std::move(report.error_traceback);
    if (report.error_line) failure.line = report.error_line;
    return limited(std::move(failure));
  }
  switch (report.fate) {
    case Fate::timed_out: {
      out.status = Status::timeout;
      auto failure = protocol::timed_out(request.timeout_seconds);
      if (report.uncaught) {
        failure.traceback = std::move(report.error_traceback);
        if (report.error_line) failure.line = report.error_line;
      }
      out.failure = std::move(failure);
      return;
    }
    case Fate::cpu_exceeded: {
      out.status = Status::timeout;
      out.failure = cpu_limit_met(limits);
      return;
    }
    case Fate::cancelled: {
      out.status = Status::cancelled;
      out.failure = cancelled().failure;
      return;
    }
    case Fate::out_of_fuel:
      return limited(limit_met("fuel_limit", "fuel",
                               "The program used up its fuel of " + std::to_string(limits.fuel.value_or(0)) + " units.",
                               "Do less, or ask for more fuel (limits.fuel)."));
    case Fate::stack_overflow:
      return limited(limit_met("stack_limit", "stack", "The program's calls were nested deeper than the stack allows.",
                               "Recurse less deeply, or use a loop with a list of what is still to do."));
    case Fate::trapped: {
      out.status = Status::failed;
      out.signal = signal_name(report.signal);
      if (out.signal->empty()) out.signal = "SIGABRT";
      out.failure = failure("signal", "signal", "The program ended abnormally (" + *out.signal + "): " + report.trap);
      out.failure->name = *out.signal;
      return;
    }
    case Fate::not_started: {
      out.status = Status::rejected;
      out.failure = failure("module_unsupported", "rejected", "The module could not be started: " + report.trap);
      return;
    }
    case Fate::left: {
      // For whoever does not run it elsewhere.
      out.left = true;
      out.status = Status::rejected;
      out.failure = failure("engine_unavailable", "rejected",
                            "The program asked for " + out.beyond + ", which a WASI cell has not.",
                            "Do without, or use engine docker.");
      return;
    }
    case Fate::refused: {
      out.status = Status::rejected;
      out.failure = failure("invalid_field", "rejected", report.trap);
      return;
    }
    case Fate::host_failed: {
      out.status = Status::sandbox_error;
      out.failure = failure("internal", "sandbox", report.trap.empty() ? "The worker failed." : report.trap);
      out.failure->retryable = true;
      return;
    }
    case Fate::exited:
      break;
  }
  out.exit_code = report.exit_code;
  if (report.exit_code == 0) return;
  out.status = Status::failed;
  if (!report.uncaught) return;
  if (died_of_disk(report)) {
    auto failure = disk_limit_met(limits);
    failure.name = std::move(report.error_name);
    failure.traceback = std::move(report.error_traceback);
    return limited(std::move(failure));
  }
  out.failure = exception_of(report);
}

}  // namespace

Outcome outcome_of(Report report, const Request& request, const Limits& limits) {
  Outcome out;
  if (report.beyond == 1) out.beyond = "threads";
  if (report.beyond == 2) out.beyond = "sockets";
  describe_failure(out, report, request, limits);
  if (out.status == Status::limit_exceeded) out.exit_code.reset();
  if (report.result_cut) {
    out.status = Status::limit_exceeded;
    out.exit_code.reset();
    out.failure = result_limit_met(limits, out);
  }
  out.out = {std::move(report.out.bytes), report.out.total, report.out.truncated};
  out.err = {std::move(report.err.bytes), report.err.total, report.err.truncated};
  for (auto& file : report.files) {
    // A worker's word about paths is not to be trusted: whoever writes these files must stay inside a folder.
    OutputFile item;
    item.path = std::move(file.path);
    item.change = static_cast<Change>(file.change);
    item.size = file.size;
    item.content = std::move(file.content);
    item.content_left_out = file.left_out;
    out.files.push_back(std::move(item));
  }
  out.usage.wall_seconds = static_cast<double>(report.wall_ns) / 1e9;
  out.usage.cpu_seconds = static_cast<double>(report.cpu_ns) / 1e9;
  out.usage.memory_peak_bytes = report.memory_peak;
  if (limits.fuel) out.usage.fuel = report.fuel_used;
  out.limits = limits;
  return out;
}

Outcome refused(const Error& error) {
  Outcome out;
  Failure failure;
  failure.code = error.code;
  failure.message = error.message;
  failure.hint = error.hint;
  if (error.code == "memory_limit" || error.code == "table_limit") {
    out.status = Status::limit_exceeded;
    failure.kind = "limit";
    failure.limit = error.code == "memory_limit" ? "memory" : "table";
  } else {
    out.status = Status::rejected;
    failure.kind = "rejected";
  }
  out.failure = std::move(failure);
  return out;
}

}  // namespace hotcell::wasi
