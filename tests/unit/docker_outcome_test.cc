#include <gtest/gtest.h>

#include "protocol/failures.h"

#include <cerrno>
#include <csignal>

#include "docker/outcome.h"

namespace hotcell::docker {
namespace {

using namespace protocol;
using agent::Fate;
using agent::Report;

Limits limits() {
  Limits out;
  out.memory_bytes = 64u << 20;
  out.disk_bytes = 10u << 20;
  out.result_bytes = 1000;
  out.output_bytes = 1000;
  out.pids = 32;
  out.cpu_seconds = 2;
  return out;
}

Report ended(int exit_code) {
  Report out;
  out.fate = Fate::ended;
  out.exit_code = exit_code;
  return out;
}
Report died(int signal) {
  Report out;
  out.fate = Fate::ended;
  out.signal = signal;
  return out;
}
Report raised(std::string name, std::string message, int error_number = 0, std::uint32_t line = 3) {
  auto out = ended(1);
  out.uncaught = agent::Uncaught{std::move(name), std::move(message), "Traceback…", line, error_number, false};
  return out;
}

Outcome outcome(Report report, Language language = Language::python, std::string_view err_end = {}) {
  Request request;
  request.language = language;
  request.timeout_seconds = 5;
  return outcome_of(std::move(report), request, limits(), err_end);
}

TEST(DockerOutcome, an_exit_code_is_the_programs_own_and_no_error) {
  EXPECT_EQ(outcome(ended(0)).status, Status::completed);
  EXPECT_EQ(outcome(ended(0)).exit_code, 0);
  const auto failed = outcome(ended(3));
  EXPECT_EQ(failed.status, Status::failed);
  EXPECT_EQ(failed.exit_code, 3);
  EXPECT_FALSE(failed.failure);
}

TEST(DockerOutcome, an_exception_brings_its_name_message_traceback_and_line) {
  const auto out = outcome(raised("ValueError", "no"));
  EXPECT_EQ(out.status, Status::failed);
  EXPECT_EQ(out.exit_code, 1);
  EXPECT_EQ(out.failure->code, "exception");
  EXPECT_EQ(out.failure->name, "ValueError");
  EXPECT_EQ(out.failure->message, "no");
  EXPECT_EQ(out.failure->line, 3u);
}

TEST(DockerOutcome, a_signal_is_named) {
  const auto out = outcome(died(SIGSEGV));
  EXPECT_EQ(out.status, Status::failed);
  EXPECT_EQ(out.signal, "SIGSEGV");
  EXPECT_EQ(out.failure->code, "signal");
  EXPECT_FALSE(out.exit_code);
}

TEST(DockerOutcome, each_limit_has_a_code_of_its_own_and_a_sentence_with_its_value) {
  struct Case {
    Report report;
    Status status;
    std::string code, part;
  };
  auto oom = died(SIGKILL);
  oom.oom_kills = 1;
  auto child_oom = raised("BrokenProcessPool", "a child died");
  child_oom.oom_kills = 2;
  auto forks = ended(1);
  forks.pids_refused = 7;
  auto threads = raised("RuntimeError", "can't start new thread");
  threads.pids_refused = 1;
  auto full = ended(1);
  full.disk_full = true;
  Report late;
  late.fate = Fate::timed_out;
  Report busy;
  busy.fate = Fate::cpu_exceeded;
  busy.cpu_ns = 2'010'000'000;
  Report starved;
  starved.fate = Fate::starved;
  starved.oom_kills = 9;
  for (auto& [report, status, code, part] : std::vector<Case>{
           {starved, Status::limit_exceeded, "memory_limit", "64 MiB (it was ended when 9 of its processes"},
           {oom, Status::limit_exceeded, "memory_limit", "64 MiB"},
           {child_oom, Status::limit_exceeded, "memory_limit", "64 MiB"},
           {raised("MemoryError", ""), Status::limit_exceeded, "memory_limit", "64 MiB"},
           {forks, Status::limit_exceeded, "process_limit", "32 (7 refused)"},
           {threads, Status::limit_exceeded, "process_limit", "32"},
           {full, Status::limit_exceeded, "disk_limit", "10 MiB"},
           {raised("OSError", "[Errno 28] No space left on device", ENOSPC), Status::limit_exceeded, "disk_limit",
            "10 MiB"},
           {late, Status::timeout, "timeout", "5 seconds"},
           {busy, Status::timeout, "cpu_limit", "2 seconds exceeded (used: 2.01 seconds)"},
       }) {
    const auto out = outcome(report);
    EXPECT_EQ(out.status, status) << code;
    ASSERT_TRUE(out.failure) << code;
    EXPECT_EQ(out.failure->code, code);
    EXPECT_NE(out.failure->message.find(part), std::string::npos) << out.failure->message;
    EXPECT_FALSE(out.exit_code) << code;
  }
}

TEST(DockerOutcome, node_at_the_end_of_its_heap_has_met_the_memory_limit) {
  const auto words = "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory\n";
  EXPECT_EQ(outcome(died(SIGABRT), Language::javascript, words).failure->code, "memory_limit");
  EXPECT_EQ(outcome(died(SIGABRT), Language::javascript, "abort").failure->code, "signal");
  EXPECT_EQ(outcome(died(SIGABRT), Language::python, words).failure->code, "signal");
}

TEST(DockerOutcome, a_program_that_coped_with_a_refusal_is_completed) {
  auto report = ended(0);
  report.oom_kills = report.pids_refused = 3;
  report.disk_full = true;
  EXPECT_EQ(outcome(report).status, Status::completed);
}

TEST(DockerOutcome, a_program_that_was_refused_something_and_died_of_something_else_did_that) {
  auto report = raised("ValueError", "no");
  report.pids_refused = 3;
  report.disk_full = true;
  EXPECT_EQ(outcome(report).failure->code, "exception");
  // Its own MemoryError, raised with words.
  EXPECT_EQ(outcome(raised("MemoryError", "I say so")).failure->code, "exception");
}

TEST(DockerOutcome, an_error_text_above_its_limit_is_a_limit_and_the_text_is_left_out) {
  const auto out = outcome(raised("ValueError", std::string(1001, 'x')));
  EXPECT_EQ(out.status, Status::limit_exceeded);
  EXPECT_EQ(out.failure->code, "result_limit");
  EXPECT_LT(out.failure->message.size(), 400u);
  auto cut = raised("ValueError", "short");
  cut.uncaught->cut = true;
  EXPECT_EQ(outcome(cut).failure->code, "result_limit");
}

TEST(DockerOutcome, what_the_agent_could_not_do_is_told_apart_from_what_the_program_did) {
  Report refused_report;
  refused_report.fate = Fate::refused;
  refused_report.reason = "there is no python3";
  EXPECT_EQ(outcome(refused_report).status, Status::rejected);
  Report failed;
  failed.fate = Fate::failed;
  failed.reason = "a process could not be killed";
  EXPECT_EQ(outcome(failed).status, Status::sandbox_error);
  EXPECT_TRUE(outcome(failed).failure->retryable);
  Report stopped;
  stopped.fate = Fate::stopped;
  EXPECT_EQ(outcome(stopped).status, Status::cancelled);
  EXPECT_TRUE(lost("cell", "it ended", limits()).failure->retryable);
}

}  // namespace
}  // namespace hotcell::docker
