#include "wasi/outcome.h"

#include <gtest/gtest.h>

#include "protocol/failures.h"

namespace hotcell::wasi {
namespace {

using namespace protocol;

struct Row {
  const char* what;
  void (*change)(Report&);
  Status status;
  const char* code;
  const char* kind;
  const char* limit;
  int exit_status;
};

void uncaught(Report& r, const char* name, const char* message = "m") {
  r.fate = Fate::exited;
  r.exit_code = 1;
  r.uncaught = true;
  r.error_name = name;
  r.error_message = message;
  r.error_traceback = "Traceback";
  r.error_line = 4;
}

// Everything that can become of a program, and what its caller is told.
const Row kTable[] = {
    {"exit 0", [](Report& r) { r.fate = Fate::exited; }, Status::completed, "", "", "", 0},
    {"exit 3", [](Report& r) { r.fate = Fate::exited, r.exit_code = 3; }, Status::failed, "", "", "", 3},
    {"exit 0 though something was refused",
     [](Report& r) { r.fate = Fate::exited, r.growth_refused = r.disk_refused = true; }, Status::completed, "", "", "",
     0},
    {"exit 2 though something was refused",
     [](Report& r) { r.fate = Fate::exited, r.exit_code = 2, r.growth_refused = true; }, Status::failed, "", "", "", 2},
    {"exception", [](Report& r) { uncaught(r, "ValueError"); }, Status::failed, "exception", "exception", "", 1},
    {"MemoryError of its own", [](Report& r) { uncaught(r, "MemoryError"); }, Status::failed, "exception", "exception",
     "", 1},
    {"MemoryError after a refusal", [](Report& r) { uncaught(r, "MemoryError"), r.growth_refused = true; },
     Status::limit_exceeded, "memory_limit", "limit", "memory", 137},
    {"another exception after a refusal", [](Report& r) { uncaught(r, "KeyError"), r.growth_refused = true; },
     Status::failed, "exception", "exception", "", 1},
    {"OSError at the quota", [](Report& r) { uncaught(r, "OSError"), r.disk_refused = true; }, Status::limit_exceeded,
     "disk_limit", "limit", "disk", 137},
    {"OSError elsewhere", [](Report& r) { uncaught(r, "OSError"); }, Status::failed, "exception", "exception", "", 1},
    {"an error text that was cut", [](Report& r) { uncaught(r, "ValueError"), r.result_cut = true; },
     Status::limit_exceeded, "result_limit", "limit", "result", 137},
    {"timeout", [](Report& r) { r.fate = Fate::timed_out; }, Status::timeout, "timeout", "timeout", "wall", 124},
    {"timeout seen as an exception", [](Report& r) { uncaught(r, "KeyboardInterrupt"), r.fate = Fate::timed_out; },
     Status::timeout, "timeout", "timeout", "wall", 124},
    {"cpu", [](Report& r) { r.fate = Fate::cpu_exceeded; }, Status::timeout, "cpu_limit", "timeout", "cpu", 124},
    {"cancelled", [](Report& r) { r.fate = Fate::cancelled; }, Status::cancelled, "cancelled", "cancelled", "", 130},
    {"fuel", [](Report& r) { r.fate = Fate::out_of_fuel; }, Status::limit_exceeded, "fuel_limit", "limit", "fuel", 137},
    {"stack", [](Report& r) { r.fate = Fate::stack_overflow; }, Status::limit_exceeded, "stack_limit", "limit", "stack",
     137},
    {"abort", [](Report& r) { r.fate = Fate::trapped, r.signal = 6; }, Status::failed, "signal", "signal", "", 134},
    {"segfault", [](Report& r) { r.fate = Fate::trapped, r.signal = 11; }, Status::failed, "signal", "signal", "", 139},
    {"division by zero", [](Report& r) { r.fate = Fate::trapped, r.signal = 8; }, Status::failed, "signal", "signal",
     "", 136},
    {"a signal that is none", [](Report& r) { r.fate = Fate::trapped, r.signal = 9999; }, Status::failed, "signal",
     "signal", "", 134},
    {"trap after a refused growth", [](Report& r) { r.fate = Fate::trapped, r.signal = 6, r.growth_refused = true; },
     Status::limit_exceeded, "memory_limit", "limit", "memory", 137},
    {"not started", [](Report& r) { r.fate = Fate::not_started; }, Status::rejected, "module_unsupported", "rejected",
     "", 125},
    {"not started for memory", [](Report& r) { r.fate = Fate::not_started, r.growth_refused = true; },
     Status::limit_exceeded, "memory_limit", "limit", "memory", 137},
    {"refused", [](Report& r) { r.fate = Fate::refused, r.trap = "why"; }, Status::rejected, "invalid_field",
     "rejected", "", 125},
    {"our fault", [](Report& r) { r.fate = Fate::host_failed; }, Status::sandbox_error, "internal", "sandbox", "", 125},
};

Limits limits() {
  Limits out;
  out.memory_bytes = 64u << 20, out.disk_bytes = 1u << 20, out.result_bytes = 1000, out.cpu_seconds = 1, out.fuel = 5;
  return out;
}

TEST(WasiOutcome, every_fate_has_its_status_code_and_exit_status) {
  for (const auto& row : kTable) {
    SCOPED_TRACE(row.what);
    Report report;
    row.change(report);
    report.out.bytes = "output";
    Request request;
    const auto outcome = outcome_of(report, request, limits());
    EXPECT_EQ(name_of(outcome.status), name_of(row.status));
    EXPECT_EQ(outcome.failure ? outcome.failure->code : "", row.code);
    EXPECT_EQ(outcome.failure ? outcome.failure->kind : "", row.kind);
    EXPECT_EQ(outcome.failure ? outcome.failure->limit : "", row.limit);
    EXPECT_EQ(exit_status_of(outcome), row.exit_status);
    EXPECT_EQ(outcome.out.bytes, "output") << "whatever became of it, what it printed is kept";
    EXPECT_EQ(outcome.failure && outcome.failure->retryable, row.status == Status::sandbox_error);
    if (outcome.failure) {
      EXPECT_FALSE(outcome.failure->message.empty());
    }
    EXPECT_EQ(outcome.limits.memory_bytes, limits().memory_bytes);
    const bool program_ended = row.status == Status::completed || (row.status == Status::failed && !outcome.signal);
    EXPECT_EQ(outcome.exit_code.has_value(), program_ended);
  }
}

TEST(WasiOutcome, an_exception_keeps_its_name_text_traceback_and_line) {
  Report report;
  uncaught(report, "ValueError", "bad");
  const auto outcome = outcome_of(report, Request(), limits());
  EXPECT_EQ(outcome.failure->name, "ValueError");
  EXPECT_EQ(outcome.failure->message, "bad");
  EXPECT_EQ(outcome.failure->traceback, "Traceback");
  EXPECT_EQ(outcome.failure->line, 4u);
}

TEST(WasiOutcome, messages_say_the_limit_in_the_units_that_were_asked_for) {
  Report report;
  report.fate = Fate::timed_out;
  Request request;
  request.timeout_seconds = 5;
  EXPECT_EQ(outcome_of(report, request, limits()).failure->message, "Execution timeout after 5 seconds");
  request.timeout_seconds = 1;
  EXPECT_EQ(outcome_of(report, request, limits()).failure->message, "Execution timeout after 1 second");
  request.timeout_seconds = 0.25;
  EXPECT_EQ(outcome_of(report, request, limits()).failure->message, "Execution timeout after 0.25 seconds");
  uncaught(report, "MemoryError");
  report.growth_refused = true;
  EXPECT_NE(outcome_of(report, request, limits()).failure->message.find("64 MiB"), std::string::npos);
}

TEST(WasiOutcome, usage_and_files_are_passed_on) {
  Report report;
  report.fate = Fate::exited;
  report.wall_ns = 1'500'000'000, report.cpu_ns = 500'000'000, report.memory_peak = 77, report.fuel_used = 3;
  report.files = {{"a", 1, 9, true, ""}};
  const auto outcome = outcome_of(report, Request(), limits());
  EXPECT_EQ(outcome.usage.wall_seconds, 1.5);
  EXPECT_EQ(outcome.usage.cpu_seconds, 0.5);
  EXPECT_EQ(outcome.usage.memory_peak_bytes, 77u);
  EXPECT_EQ(outcome.usage.fuel, 3u);
  ASSERT_EQ(outcome.files.size(), 1u);
  EXPECT_EQ(outcome.files[0].change, Change::modified);
  EXPECT_TRUE(outcome.files[0].content_left_out);
}

TEST(WasiOutcome, a_refusal_is_a_limit_or_a_rejection) {
  for (const auto& [code, status] : {std::pair("module_invalid", Status::rejected),
                                     {"module_unsupported", Status::rejected},
                                     {"memory_limit", Status::limit_exceeded},
                                     {"table_limit", Status::limit_exceeded}}) {
    const auto outcome = refused({code, "why", "hint"});
    EXPECT_EQ(name_of(outcome.status), name_of(status)) << code;
    EXPECT_EQ(outcome.failure->code, code);
    EXPECT_EQ(outcome.failure->message, "why");
    EXPECT_EQ(outcome.failure->hint, "hint");
  }
}

TEST(WasiOutcome, a_lost_worker_may_be_tried_again) {
  const auto outcome = lost("worker", "it ended");
  EXPECT_EQ(outcome.status, Status::sandbox_error);
  EXPECT_EQ(outcome.failure->code, "worker_lost");
  EXPECT_TRUE(outcome.failure->retryable);
  EXPECT_NE(outcome.failure->message.find("it ended"), std::string::npos);
}

}  // namespace
}  // namespace hotcell::wasi
