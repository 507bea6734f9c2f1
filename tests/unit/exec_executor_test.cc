#include "exec/executor.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace hotcell::exec {
namespace {

using namespace protocol;

// Runs nothing: remembers what it was given, and answers as it is told.
struct FakeEngine final : Engine {
  explicit FakeEngine(std::string_view name) : own_name(name) {}
  std::string_view name() const override { return own_name; }
  Expected<Outcome> run(const Request& request, OutputSink*, const StopToken*) override {
    ++runs;
    if (during) during();
    // The question of validate/confirm.h.
    if (!request.files.empty() && request.files[0].path == "program.py") {
      Outcome verdict;
      verdict.out.bytes = compiles ? "ok\n" : "wrong\n1\n4\ninvalid syntax\n";
      return verdict;
    }
    return answer;
  }
  std::string own_name;
  Expected<Outcome> answer = Outcome();
  std::function<void()> during;
  bool compiles = true;
  std::atomic<unsigned> runs = 0;
};

InputFile file(std::string path, std::string content) {
  InputFile made;
  made.path = std::move(path);
  made.content = std::move(content);
  return made;
}

struct ExecutorTest : ::testing::Test {
  FakeEngine wasi{"wasi"}, docker{"docker"};
  bool has_docker = false;
  ExecutorOptions options;

  Executor executor() {
    options.engines.wasi.configured = options.engines.wasi.up = true;
    options.engines.wasi_images = {Language::python};
    if (has_docker) options.engines.docker = [] { return EngineState{true, true, {}}; };
    options.open = [this](EngineChoice choice) -> Expected<Engine*> {
      return choice == EngineChoice::wasi ? &wasi : &docker;
    };
    return Executor(std::move(options));
  }
  Result run(Executor& executor, const std::string& code, Checks checks = Checks::warn, Request request = {}) {
    request.code = code;
    request.checks = checks;
    auto result = executor.run(request, nullptr, nullptr);
    if (result) return std::move(*result);
    ADD_FAILURE() << result.error().message;
    return {};
  }
};

const std::string kSystem = "import os\nos.system('ls')\n";
const std::string kEval = "print(eval('1'))\n";

TEST_F(ExecutorTest, a_program_is_run_and_the_result_says_where_and_why) {
  auto executor = this->executor();
  const auto result = run(executor, "import json\nprint(1)\n");
  EXPECT_EQ(wasi.runs, 1u);
  EXPECT_EQ(result.outcome.status, Status::completed);
  EXPECT_EQ(result.verdict, "clean");
  EXPECT_EQ(result.outcome.engine.chosen_because, "only the standard library is used");
  EXPECT_TRUE(result.id.starts_with("exe_"));
  EXPECT_LE(result.created_at, result.finished_at);
}

TEST_F(ExecutorTest, warn_runs_and_reports) {
  auto executor = this->executor();
  const auto result = run(executor, kEval);
  EXPECT_EQ(wasi.runs, 1u);
  EXPECT_EQ(result.outcome.status, Status::completed);
  EXPECT_EQ(result.verdict, "warned");
  ASSERT_EQ(result.findings.size(), 1u);
  EXPECT_EQ(result.findings[0].rule, "py-eval");
}

TEST_F(ExecutorTest, off_looks_for_nothing) {
  auto executor = this->executor();
  const auto result = run(executor, kEval, Checks::off);
  EXPECT_EQ(result.verdict, "clean");
  EXPECT_TRUE(result.findings.empty());
}

TEST_F(ExecutorTest, enforce_refuses_without_running) {
  auto executor = this->executor();
  const auto result = run(executor, kSystem, Checks::enforce);
  EXPECT_EQ(wasi.runs, 0u);
  EXPECT_EQ(result.outcome.status, Status::rejected);
  ASSERT_TRUE(result.outcome.failure);
  EXPECT_EQ(result.outcome.failure->code, "validation_failed");
  EXPECT_EQ(result.outcome.failure->kind, "rejected");
  EXPECT_EQ(result.outcome.failure->message, "Security validation failed: dangerous import 'os.system'");
  EXPECT_EQ(result.outcome.failure->line, 2u);
  EXPECT_FALSE(result.outcome.failure->hint.empty());
  EXPECT_EQ(result.verdict, "refused");
  EXPECT_EQ(exit_status_of(result.outcome), 125);
}

TEST_F(ExecutorTest, enforce_runs_what_its_policy_lets_pass) {
  auto executor = this->executor();
  const auto result = run(executor, "import socket\n", Checks::enforce);
  EXPECT_EQ(result.verdict, "warned");
  EXPECT_EQ(result.outcome.status, Status::completed);
}

TEST_F(ExecutorTest, enforce_refuses_by_the_policy_that_is_set) {
  options.policy = "strict";
  auto executor = this->executor();
  EXPECT_EQ(run(executor, "import socket\n", Checks::enforce).verdict, "refused");
}

TEST_F(ExecutorTest, the_result_waits_for_its_check) {
  auto executor = this->executor();
  std::string code = "import json\n";
  for (int i = 0; i < 3000; ++i) code += "x = [1, 2, 3]\n";  // checked for longer than this engine runs
  EXPECT_EQ(run(executor, code + kEval).verdict, "warned");
}

TEST_F(ExecutorTest, what_was_read_is_remembered) {
  auto executor = this->executor();
  for (int i = 0; i < 3; ++i) {
    const auto result = run(executor, kEval);
    EXPECT_EQ(result.verdict, "warned") << i;
    EXPECT_EQ(result.outcome.engine.chosen_because, "nothing is imported") << i;
  }
  // Another mode, language or text is another question.
  EXPECT_EQ(run(executor, kEval, Checks::enforce).verdict, "refused");
  EXPECT_EQ(run(executor, kEval, Checks::off).verdict, "clean");
  EXPECT_EQ(run(executor, kEval + "\n").verdict, "warned");
}

TEST_F(ExecutorTest, what_only_docker_can_do_is_rejected_where_there_is_none) {
  auto executor = this->executor();
  for (int i = 0; i < 2; ++i) {
    const auto result = run(executor, "import numpy\n");
    EXPECT_EQ(wasi.runs, 0u);
    EXPECT_EQ(result.outcome.status, Status::rejected);
    EXPECT_EQ(result.outcome.failure->code, "engine_unavailable");
    EXPECT_EQ(result.outcome.failure->message,
              "numpy has compiled code (line 1): only Docker can run that, and Docker is not configured");
  }
}

TEST_F(ExecutorTest, what_wasi_lacks_goes_to_docker) {
  has_docker = true;
  auto executor = this->executor();
  const auto result = run(executor, "import ssl\n");
  EXPECT_EQ(docker.runs, 1u);
  EXPECT_EQ(wasi.runs, 0u);
  EXPECT_EQ(result.outcome.engine.chosen_because, "ssl needs the module _ssl (line 1)");
}

TEST_F(ExecutorTest, an_engine_that_was_asked_for_is_taken_and_the_program_only_checked) {
  auto executor = this->executor();
  Request request;
  request.engine = EngineWish::wasi;
  const auto result = run(executor, "import numpy\neval('1')\n", Checks::warn, request);
  EXPECT_EQ(wasi.runs, 1u);
  EXPECT_EQ(result.outcome.engine.chosen_because, "asked for");
  EXPECT_EQ(result.verdict, "warned");
}

TEST_F(ExecutorTest, given_modules_are_read_too) {
  auto executor = this->executor();
  Request request;
  request.files.push_back(file("helper.py", "import ssl\n"));
  EXPECT_EQ(run(executor, "import helper\n", Checks::warn, request).outcome.status, Status::rejected);
  request.files[0].content = "import json\n";  // and not remembered by the program alone
  EXPECT_EQ(run(executor, "import helper\n", Checks::warn, request).outcome.status, Status::completed);
}

TEST_F(ExecutorTest, packages_that_policy_denies_are_rejected) {
  options.reading.packages.deny = {"requests"};
  has_docker = true;
  auto executor = this->executor();
  const auto result = run(executor, "import requests\n");
  EXPECT_EQ(result.outcome.status, Status::rejected);
  EXPECT_EQ(result.outcome.failure->code, "dependency_denied");
  EXPECT_EQ(result.outcome.failure->kind, "dependency");
  EXPECT_EQ(docker.runs, 0u);
}

TEST_F(ExecutorTest, a_requirement_of_the_request_that_cannot_be_read_is_the_callers_mistake) {
  auto executor = this->executor();
  Request request;
  request.code = "print(1)";
  request.dependencies = {DependencyMode::explicit_list, {"git+https://example.invalid/x"}};
  const auto result = executor.run(request, nullptr, nullptr);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, "invalid_requirement");
}

TEST_F(ExecutorTest, a_syntax_error_is_refused_only_where_the_interpreter_refuses_it) {
  auto executor = this->executor();
  wasi.compiles = true;
  EXPECT_EQ(run(executor, "x = (1\n", Checks::enforce).outcome.status, Status::completed);
  wasi.compiles = false;
  const auto result = run(executor, "y = (1\n", Checks::enforce);
  EXPECT_EQ(result.outcome.status, Status::rejected);
  EXPECT_EQ(result.outcome.failure->message, "Security validation failed: syntax error (invalid syntax): y = (1");
}

TEST_F(ExecutorTest, a_run_settles_what_the_checker_suspected) {
  auto executor = this->executor();
  EXPECT_EQ(run(executor, "x = (1\n").verdict, "clean") << "it ran: so it was a program";
  wasi.answer->status = Status::failed;
  wasi.answer->failure.emplace().name = "SyntaxError";
  const auto result = run(executor, "y = (1\n");
  EXPECT_EQ(result.verdict, "warned");
  EXPECT_EQ(result.findings.at(0).rule, "syntax-error");
}

TEST_F(ExecutorTest, what_was_never_admitted_is_an_error) {
  wasi.answer = fail("at_capacity", "no worker was ready in time");
  auto executor = this->executor();
  Request request;
  request.code = kEval;
  const auto result = executor.run(request, nullptr, nullptr);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, "at_capacity");
}

TEST_F(ExecutorTest, a_module_is_not_read) {
  auto executor = this->executor();
  Request request;
  request.language = Language::wasm;
  request.wasm.emplace().bytes = "\0asm";
  const auto result = executor.run(request, nullptr, nullptr);
  ASSERT_TRUE(result);
  EXPECT_EQ(wasi.runs, 1u);
  EXPECT_EQ(result->outcome.engine.chosen_because, "WebAssembly modules run in WASI cells");
}

TEST_F(ExecutorTest, a_program_that_is_too_large_to_read_is_run_and_the_check_says_so) {
  auto executor = this->executor();
  const auto result = run(executor, std::string(17u << 20, '#'));
  EXPECT_EQ(result.outcome.status, Status::completed);
  EXPECT_EQ(result.findings.at(0).rule, "check-incomplete");
  EXPECT_EQ(run(executor, std::string(17u << 20, '#'), Checks::enforce).verdict, "refused");
}

TEST_F(ExecutorTest, many_threads_may_use_it) {
  auto executor = this->executor();
  std::vector<std::thread> threads;
  std::atomic<unsigned> right = 0;
  wasi.during = {};
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 50; ++i) {
        Request request;
        request.language = Language::python;
        request.code = (i % 2 ? kEval : "print(1)\n") + std::string(static_cast<std::size_t>(20 * t * i), '\n');
        request.engine = EngineWish::wasi;
        request.checks = t % 2 ? Checks::enforce : Checks::warn;
        const auto result = executor.run(request, nullptr, nullptr);
        right += result && result->verdict == (i % 2 == 0 ? "clean" : t % 2 ? "refused" : "warned");
      }
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(right, 200u);
}

}  // namespace
}  // namespace hotcell::exec
