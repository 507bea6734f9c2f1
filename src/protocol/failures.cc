#include "protocol/failures.h"

#include <cstdio>
#include <utility>

namespace hotcell::protocol {

std::string seconds_text(double seconds) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", seconds);
  return std::string(text) + (seconds == 1 ? " second" : " seconds");
}

std::string size_text(std::uint64_t bytes) {
  if (bytes >= (1u << 20) && bytes % (1u << 20) == 0) return std::to_string(bytes >> 20) + " MiB";
  return std::to_string(bytes) + " bytes";
}

Failure failure(std::string code, std::string kind, std::string message, std::string hint) {
  Failure out;
  out.code = std::move(code);
  out.kind = std::move(kind);
  out.message = std::move(message);
  out.hint = std::move(hint);
  return out;
}

Failure limit_met(std::string code, std::string which, std::string message, std::string hint) {
  auto out = failure(std::move(code), "limit", std::move(message), std::move(hint));
  out.limit = std::move(which);
  return out;
}

Failure memory_limit_met(const Limits& limits, const std::string& used) {
  return limit_met("memory_limit", "memory",
                   "The program needed more memory than its limit of " + size_text(limits.memory_bytes.value_or(0)) +
                       (used.empty() ? "." : " (" + used + ")."),
                   "Use less memory at a time, or ask for a higher limit (limits.memory_bytes).");
}

Failure disk_limit_met(const Limits& limits) {
  return limit_met("disk_limit", "disk",
                   "The program wrote more than its limit of " + size_text(limits.disk_bytes.value_or(0)) + ".",
                   "Write less, or ask for a higher limit (limits.disk_bytes).");
}

Failure result_limit_met(const Limits& limits, const Outcome& otherwise) {
  auto out = limit_met("result_limit", "result",
                       "The error's text was longer than " + size_text(limits.result_bytes.value_or(0)) + ".",
                       "Put less into the exception, or ask for a higher limit (limits.result_bytes).");
  if (otherwise.failure) out.message += " It began: " + otherwise.failure->message.substr(0, 200);
  return out;
}

Failure timed_out(double timeout_seconds) {
  auto out = failure("timeout", "timeout", "Execution timeout after " + seconds_text(timeout_seconds),
                     "Look for a loop that does not end, do less, or ask for more time (timeout_seconds).");
  out.limit = "wall";
  return out;
}

Failure cpu_limit_met(const Limits& limits, const std::string& used) {
  auto out = failure("cpu_limit", "timeout",
                     "CPU time limit of " + seconds_text(limits.cpu_seconds.value_or(0)) + " exceeded" +
                         (used.empty() ? "" : " (" + used + ")"),
                     "Do less, or ask for more CPU time (limits.cpu_seconds).");
  out.limit = "cpu";
  return out;
}

Outcome cancelled(const Limits& limits) {
  Outcome out;
  out.limits = limits;
  out.status = Status::cancelled;
  out.failure = failure("cancelled", "cancelled", "The run was cancelled.");
  return out;
}

Outcome lost(std::string_view place, std::string_view how, const Limits& limits) {
  Outcome out;
  out.limits = limits;
  out.status = Status::sandbox_error;
  out.failure = failure("worker_lost", "sandbox",
                        "The " + std::string(place) + " that ran this program was lost (" + std::string(how) +
                            "). Other runs are not affected.",
                        "Run it again; if it is lost again, the program itself is the likely cause.");
  out.failure->retryable = true;
  return out;
}

}  // namespace hotcell::protocol
