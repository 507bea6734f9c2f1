#include "wasi/outcome.h"

#include <algorithm>
#include <cstdio>

#include "protocol/signals.h"

namespace hotcell::wasi {
namespace {

using namespace protocol;

std::string seconds_text(double seconds) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", seconds);
  return std::string(text) + (seconds == 1 ? " second" : " seconds");
}

std::string size_text(std::uint64_t bytes) {
  if (bytes >= (1u << 20) && bytes % (1u << 20) == 0) return std::to_string(bytes >> 20) + " MiB";
  return std::to_string(bytes) + " bytes";
}

Failure limit(std::string code, std::string which, std::string message, std::string hint) {
  Failure out;
  out.code = std::move(code);
  out.kind = "limit";
  out.limit = std::move(which);
  out.message = std::move(message);
  out.hint = std::move(hint);
  return out;
}

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
    auto failure = limit("memory_limit", "memory",
                         "The program needed more memory than its limit of " + size_text(*limits.memory_bytes) + ".",
                         "Use less memory at a time, or ask for a higher limit (limits.memory_bytes).");
    failure.name = std::move(report.error_name);
    failure.traceback = std::move(report.error_traceback);
    if (report.error_line) failure.line = report.error_line;
    return limited(std::move(failure));
  }
  switch (report.fate) {
    case Fate::timed_out: {
      out.status = Status::timeout;
      Failure failure;
      failure.code = failure.kind = "timeout";
      failure.limit = "wall";
      failure.message = "Execution timeout after " + seconds_text(request.timeout_seconds);
      failure.hint = "Look for a loop that does not end, do less, or ask for more time (timeout_seconds).";
      if (report.uncaught) {
        failure.traceback = std::move(report.error_traceback);
        if (report.error_line) failure.line = report.error_line;
      }
      out.failure = std::move(failure);
      return;
    }
    case Fate::cpu_exceeded: {
      out.status = Status::timeout;
      auto failure = limit("cpu_limit", "cpu", "CPU time limit of " + seconds_text(*limits.cpu_seconds) + " exceeded",
                           "Do less, or ask for more CPU time (limits.cpu_seconds).");
      failure.kind = "timeout";
      out.failure = std::move(failure);
      return;
    }
    case Fate::cancelled: {
      out.status = Status::cancelled;
      Failure failure;
      failure.code = failure.kind = "cancelled";
      failure.message = "The run was cancelled.";
      out.failure = std::move(failure);
      return;
    }
    case Fate::out_of_fuel:
      return limited(limit("fuel_limit", "fuel",
                           "The program used up its fuel of " + std::to_string(limits.fuel.value_or(0)) + " units.",
                           "Do less, or ask for more fuel (limits.fuel)."));
    case Fate::stack_overflow:
      return limited(limit("stack_limit", "stack", "The program's calls were nested deeper than the stack allows.",
                           "Recurse less deeply, or use a loop with a list of what is still to do."));
    case Fate::trapped: {
      out.status = Status::failed;
      out.signal = std::string(signal_name(report.signal));
      if (out.signal->empty()) out.signal = "SIGABRT";
      Failure failure;
      failure.code = failure.kind = "signal";
      failure.name = *out.signal;
      failure.message = "The program ended abnormally (" + failure.name + "): " + report.trap;
      out.failure = std::move(failure);
      return;
    }
    case Fate::not_started: {
      out.status = Status::rejected;
      Failure failure;
      failure.code = "module_unsupported";
      failure.kind = "rejected";
      failure.message = "The module could not be started: " + report.trap;
      out.failure = std::move(failure);
      return;
    }
    case Fate::refused: {
      out.status = Status::rejected;
      Failure failure;
      failure.code = "invalid_field";
      failure.kind = "rejected";
      failure.message = report.trap;
      out.failure = std::move(failure);
      return;
    }
    case Fate::host_failed: {
      out.status = Status::sandbox_error;
      Failure failure;
      failure.code = "internal";
      failure.kind = "sandbox";
      failure.message = report.trap.empty() ? "The worker failed." : report.trap;
      failure.retryable = true;
      out.failure = std::move(failure);
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
    auto failure =
        limit("disk_limit", "disk", "The program wrote more than its limit of " + size_text(*limits.disk_bytes) + ".",
              "Write less, or ask for a higher limit (limits.disk_bytes).");
    failure.name = std::move(report.error_name);
    failure.traceback = std::move(report.error_traceback);
    return limited(std::move(failure));
  }
  out.failure = exception_of(report);
}

}  // namespace

Outcome outcome_of(Report report, const Request& request, const Limits& limits) {
  Outcome out;
  describe_failure(out, report, request, limits);
  if (out.status == Status::limit_exceeded) out.exit_code.reset();
  if (report.result_cut) {
    out.status = Status::limit_exceeded;
    out.exit_code.reset();
    auto failure =
        limit("result_limit", "result", "The error's text was longer than " + size_text(*limits.result_bytes) + ".",
              "Put less into the exception, or ask for a higher limit (limits.result_bytes).");
    if (out.failure) failure.message += " It began: " + out.failure->message.substr(0, 200);
    out.failure = std::move(failure);
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

Outcome worker_lost(std::string_view how) {
  Outcome out;
  out.status = Status::sandbox_error;
  Failure failure;
  failure.code = "worker_lost";
  failure.kind = "sandbox";
  failure.message =
      "The worker that ran this program was lost (" + std::string(how) + "). Other runs are not affected.";
  failure.hint = "Run it again; if it is lost again, the program itself is the likely cause.";
  failure.retryable = true;
  out.failure = std::move(failure);
  return out;
}

}  // namespace hotcell::wasi
