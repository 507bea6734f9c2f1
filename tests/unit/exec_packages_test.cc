// A program's packages, from its imports to the engine that runs it; and programs that an engine had to leave. The
// cache is the real one, engines and installer are hand-written.
#include <gtest/gtest.h>
#include <future>

#include "deps_cache_helpers.h"
#include "exec/executor.h"

namespace hotcell::exec {
namespace {

using namespace protocol;
using deps::testing::CacheTest;
namespace fs = std::filesystem;

// Answers as it is told, and remembers what it was given.
struct FakeEngine final : Engine {
  explicit FakeEngine(std::string_view name) : own_name(name) {}
  std::string_view name() const override { return own_name; }
  Expected<Outcome> run(const Request& request, OutputSink*, const StopToken*) override {
    given.push_back(request);
    if (during) during(request);
    if (!answers.empty()) {
      auto next = std::move(answers.front());
      answers.erase(answers.begin());
      return next;
    }
    Outcome done;
    done.engine.name = own_name;
    return done;
  }
  std::string own_name;
  std::vector<Expected<Outcome>> answers;  // of its first runs
  std::vector<Request> given;
  std::function<void(const Request&)> during;
};

Outcome left_for(const std::string& what) {
  Outcome out;
  out.status = Status::rejected;
  out.beyond = what;
  out.left = true;
  return out;
}

class ExecutorPackages : public CacheTest {
 protected:
  Executor executor() {
    options.engines.wasi.configured = options.engines.wasi.up = true;
    options.engines.wasi_images = {Language::python};
    options.engines.wasi_takes_packages = true;
    if (has_docker) options.engines.docker = [] { return EngineState{true, true, {}}; };
    options.open = [this](EngineChoice choice) -> Expected<Engine*> {
      return choice == EngineChoice::wasi ? &wasi : &docker;
    };
    options.packages.cache = [this]() -> Expected<deps::DependencyCache*> {
      ++opened;
      if (!cache) cache = open();
      return cache.get();
    };
    options.packages.installer = &installer_;
    return Executor(std::move(options));
  }
  void nobody_can_install() {
    installer_.on_resolve = [](Deadline) {
      return Error{deps::kNoInstaller, "packages cannot be installed: Docker is not available", ""};
    };
  }
  static Request program(std::string code, std::vector<std::string> packages = {}) {
    Request out;
    out.code = std::move(code);
    if (!packages.empty()) out.dependencies = {DependencyMode::explicit_list, std::move(packages)};
    return out;
  }
  static Result run(Executor& executor, const Request& request) {
    auto result = executor.run(request, nullptr, nullptr);
    if (result) return std::move(*result);
    ADD_FAILURE() << result.error().code << ": " << result.error().message;
    return {};
  }
  static std::string code_of(const Result& result) {
    return result.outcome.failure ? result.outcome.failure->code : "none";
  }

  FakeEngine wasi{"wasi"}, docker{"docker"};
  bool has_docker = true;
  int opened = 0;
  std::unique_ptr<deps::DependencyCache> cache;
  ExecutorOptions options;
};

TEST_F(ExecutorPackages, what_a_program_imports_is_installed_once_and_its_engine_is_told_where) {
  auto executor = this->executor();
  const auto first = run(executor, program("import numpy\n"));
  ASSERT_EQ(docker.given.size(), 1u);
  ASSERT_TRUE(docker.given[0].packages);
  EXPECT_EQ(docker.given[0].packages->folder, cache->mount("").string());
  EXPECT_TRUE(fs::exists(fs::path(docker.given[0].packages->folder) / docker.given[0].packages->entry / "content" /
                         "numpy" / "__init__.py"));
  EXPECT_EQ(first.dependency_cache, "miss");
  EXPECT_EQ(first.installed, (decltype(first.installed){{"needed-by-all", "1.0"}, {"numpy", "1.0"}}));
  EXPECT_GT(first.outcome.usage.install_seconds, 0);
  EXPECT_EQ(first.outcome.engine.chosen_because, "numpy has compiled code (line 1)");

  const auto second = run(executor, program("import numpy as np\nprint(np)\n"));
  EXPECT_EQ(second.dependency_cache, "hit");
  EXPECT_EQ(second.outcome.usage.install_seconds, 0);
  EXPECT_EQ(second.installed, first.installed);
  EXPECT_EQ(installs(), 1u);
}

TEST_F(ExecutorPackages, a_program_of_the_standard_library_opens_no_cache) {
  auto executor = this->executor();
  for (const char* code :
       {"print(1)\n", "import json, os\n", "import ssl\n", "try:\n  import numpy\nexcept ImportError:\n  pass\n"}) {
    const auto result = run(executor, program(code));
    EXPECT_EQ(result.dependency_cache, "none");
    EXPECT_TRUE(result.installed.empty());
  }
  auto asked = program("import os\n");
  asked.engine = EngineWish::docker;
  run(executor, asked);
  EXPECT_EQ(opened, 0);
}

TEST_F(ExecutorPackages, what_is_in_the_cache_needs_no_installer) {
  auto executor = this->executor();
  run(executor, program("import numpy\n"));
  nobody_can_install();
  EXPECT_EQ(run(executor, program("import numpy\n")).outcome.status, Status::completed);
}

TEST_F(ExecutorPackages, what_is_not_there_and_cannot_be_installed_is_a_refusal_that_says_what_to_do) {
  nobody_can_install();
  auto executor = this->executor();
  const auto result = run(executor, program("import numpy, pandas\n"));
  EXPECT_TRUE(docker.given.empty());
  EXPECT_EQ(result.outcome.status, Status::rejected);
  EXPECT_EQ(code_of(result), "dependency_failed");
  EXPECT_EQ(result.outcome.failure->kind, "dependency");
  EXPECT_EQ(result.outcome.failure->message,
            "numpy, pandas are not in the dependency cache, and packages cannot be installed: Docker is not available");
  EXPECT_NE(result.outcome.failure->hint.find("hotcell cache warm numpy pandas"), std::string::npos);
  // Nothing was wrong with the packages: as soon as somebody can install them, they are.
  installer_.on_resolve = {};
  EXPECT_EQ(run(executor, program("import numpy, pandas\n")).outcome.status, Status::completed);
}

TEST_F(ExecutorPackages, an_old_lock_serves_where_nobody_can_resolve_anew) {
  auto executor = this->executor();
  run(executor, program("import numpy\n"));
  nobody_can_install();
  now_ms_ += 25 * 3600 * 1000;
  const auto result = run(executor, program("import numpy\n"));
  EXPECT_EQ(result.outcome.status, Status::completed);
  EXPECT_EQ(result.installed.size(), 2u);
}

TEST_F(ExecutorPackages, what_the_installer_says_of_a_package_reaches_the_caller_word_for_word) {
  installer_.on_resolve = [](Deadline) { return Error{"dependency_not_found", "there is no package nump", "numpy?"}; };
  auto executor = this->executor();
  const auto result = run(executor, program("print(1)\n", {"nump"}));
  EXPECT_EQ(result.outcome.status, Status::rejected);
  EXPECT_EQ(code_of(result), "dependency_not_found");
  EXPECT_EQ(result.outcome.failure->message, "there is no package nump");
  EXPECT_EQ(result.outcome.failure->hint, "numpy?");
}

TEST_F(ExecutorPackages, a_guess_that_no_package_bears_out_keeps_no_program_from_running) {
  installer_.on_resolve = [this](Deadline) -> std::optional<Error> {
    if (installer_.resolves == 2) return std::nullopt;
    return Error{"dependency_not_found", "there is no package made-by-itself", ""};
  };
  Outcome failed;
  failed.status = Status::failed;
  failed.failure.emplace().name = "ModuleNotFoundError";
  docker.answers.push_back(failed);
  auto executor = this->executor();
  const auto result = run(executor, program("import made_by_itself, numpy\n"));
  EXPECT_EQ(docker.given.size(), 1u);
  EXPECT_EQ(result.installed, (decltype(result.installed){{"needed-by-all", "1.0"}, {"numpy", "1.0"}}));
  EXPECT_EQ(result.outcome.failure->hint, "there is no package made-by-itself");
  EXPECT_EQ(run(executor, program("import made_by_itself\n")).outcome.status, Status::completed);
}

TEST_F(ExecutorPackages, installing_counts_towards_the_deadline) {
  Deadline seen = deps::testing::soon();
  installer_.on_install = [&](Deadline deadline) -> std::optional<Error> {
    seen = deadline;
    std::this_thread::sleep_for(std::chrono::milliseconds(60));  // an install that takes so long
    return std::nullopt;
  };
  auto executor = this->executor();
  auto request = program("import numpy\n");
  request.deadline_seconds = 20;
  run(executor, request);
  EXPECT_LE(seen.left(), std::chrono::seconds(20));
  ASSERT_EQ(docker.given.size(), 1u);
  EXPECT_LT(*docker.given[0].deadline_seconds, 19.95);
  EXPECT_GT(*docker.given[0].deadline_seconds, 10);

  auto late = program("import scipy\n");
  late.deadline_seconds = 0.2;
  installer_.on_install = [&](Deadline deadline) {
    std::this_thread::sleep_for(deadline.left());
    return Error{"dependency_timeout", "installing scipy took too long", ""};
  };
  EXPECT_EQ(code_of(run(executor, late)), "dependency_timeout");
  EXPECT_EQ(docker.given.size(), 1u) << "it never ran";
}

TEST_F(ExecutorPackages, who_cancels_does_not_wait_for_an_install) {
  StopToken stop;
  installer_.on_install = [&](Deadline deadline) -> std::optional<Error> {
    stop.stop();
    while (!deadline.passed()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return Error{"dependency_timeout", "the builder was stopped", ""};
  };
  auto executor = this->executor();
  const auto result = executor.run(program("import numpy\n"), nullptr, &stop);
  ASSERT_TRUE(result);
  EXPECT_EQ(result->outcome.status, Status::cancelled);
  EXPECT_TRUE(docker.given.empty());
  // Nothing is held against the packages.
  installer_.on_install = {};
  EXPECT_EQ(run(executor, program("import numpy\n")).outcome.status, Status::completed);
}

TEST_F(ExecutorPackages, who_waits_for_the_install_of_one_that_is_cancelled_does_it_himself) {
  StopToken stop;
  std::promise<void> begun;
  installer_.on_install = [&](Deadline deadline) -> std::optional<Error> {
    if (installer_.installs > 1) return std::nullopt;
    begun.set_value();
    while (!deadline.passed()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return Error{"dependency_timeout", "the builder was stopped", ""};
  };
  auto executor = this->executor();
  auto first = std::async(std::launch::async, [&] { return executor.run(program("import numpy\n"), nullptr, &stop); });
  begun.get_future().wait();
  auto second = std::async(std::launch::async, [&] { return run(executor, program("import numpy\nprint(2)\n")); });
  std::this_thread::sleep_for(std::chrono::milliseconds(100));  // for it to wait
  stop.stop();
  EXPECT_EQ(first.get()->outcome.status, Status::cancelled);
  EXPECT_EQ(second.get().outcome.status, Status::completed);
}

TEST_F(ExecutorPackages, an_entry_stays_for_as_long_as_its_program_runs) {
  docker.during = [&](const Request&) { EXPECT_FALSE(cache->remove(cache->entries()->at(0).row).value()); };
  auto executor = this->executor();
  run(executor, program("import numpy\n"));
  EXPECT_TRUE(cache->remove(cache->entries()->at(0).row).value());
}

TEST_F(ExecutorPackages, pure_packages_go_to_wasi_and_are_installed_for_it) {
  auto executor = this->executor();
  const auto result = run(executor, program("import six\n"));
  ASSERT_EQ(wasi.given.size(), 1u) << result.outcome.engine.chosen_because;
  ASSERT_TRUE(wasi.given[0].packages);
  EXPECT_EQ(cache->entries()->back().row.platform, "wasi");
}

TEST_F(ExecutorPackages, what_turns_out_not_to_be_pure_goes_to_docker_after_all) {
  installer_.on_resolve = [this](Deadline) -> std::optional<Error> {
    if (installer_.resolves > 1) return std::nullopt;
    return Error{"dependency_no_wheel", "six 1.0 has no pure wheel", ""};
  };
  auto executor = this->executor();
  const auto result = run(executor, program("import six\n"));
  EXPECT_TRUE(wasi.given.empty());
  EXPECT_EQ(docker.given.size(), 1u);
  EXPECT_EQ(result.outcome.engine.chosen_because, "six 1.0 has no pure wheel");
}

TEST_F(ExecutorPackages, an_engine_that_was_asked_for_gets_packages_too) {
  auto executor = this->executor();
  auto request = program("import six\n");
  request.engine = EngineWish::docker;
  EXPECT_EQ(run(executor, request).dependency_cache, "miss");
  EXPECT_TRUE(docker.given.at(0).packages);
}

TEST_F(ExecutorPackages, packages_that_a_request_names_for_a_command_or_for_bash_are_there) {
  auto executor = this->executor();
  Request command;
  command.argv = {"black", "--version"};
  command.dependencies = {DependencyMode::explicit_list, {"black"}};
  EXPECT_EQ(run(executor, command).dependency_cache, "miss");
  auto shell = program("black --version", {"black"});
  shell.language = Language::bash;
  EXPECT_EQ(run(executor, shell).dependency_cache, "hit");
  EXPECT_EQ(docker.given.size(), 2u);
  EXPECT_TRUE(docker.given[0].packages && docker.given[1].packages);
}

TEST_F(ExecutorPackages, who_names_an_image_or_wants_no_packages_gets_none) {
  auto executor = this->executor();
  auto request = program("import numpy\n");
  request.image = "with-numpy";
  run(executor, request);
  request.image.reset();
  request.dependencies.mode = DependencyMode::none;
  run(executor, request);
  ASSERT_EQ(docker.given.size(), 2u);
  EXPECT_FALSE(docker.given[0].packages || docker.given[1].packages);
  EXPECT_EQ(opened, 0);
}

TEST_F(ExecutorPackages, a_cache_that_cannot_be_opened_is_a_refusal_with_its_reason) {
  ExecutorOptions broken;
  broken.engines.docker = [] { return EngineState{true, true, {}}; };
  broken.open = [this](EngineChoice) -> Expected<Engine*> { return &docker; };
  broken.packages.cache = []() -> Expected<deps::DependencyCache*> { return fail("cache_read_only", "it is"); };
  Executor refusing(std::move(broken));
  EXPECT_EQ(code_of(run(refusing, program("import numpy\n"))), "cache_read_only");
}

// ---- The second try ----

TEST_F(ExecutorPackages, a_run_that_was_left_is_run_on_docker_from_the_beginning) {
  wasi.answers.push_back(left_for("threads"));
  auto executor = this->executor();
  auto request = program("import json\n");
  request.stdin_bytes = "input";
  request.files.push_back({"a.txt", "content", std::nullopt, std::nullopt, false});
  request.deadline_seconds = 20;
  const auto result = run(executor, request);
  ASSERT_EQ(docker.given.size(), 1u);
  EXPECT_EQ(result.outcome.engine.name, "docker");
  EXPECT_EQ(result.outcome.engine.chosen_because, "the program asked for threads, which a WASI cell has not");
  EXPECT_EQ(docker.given[0].stdin_bytes, "input");
  EXPECT_EQ(docker.given[0].files.at(0).content, "content");
  EXPECT_LE(*docker.given[0].deadline_seconds, 20);
}

TEST_F(ExecutorPackages, without_docker_it_is_run_on_wasi_to_its_end_and_says_what_is_missing) {
  has_docker = false;
  wasi.answers.push_back(left_for("sockets"));
  Outcome failed;
  failed.status = Status::failed;
  failed.failure.emplace().code = "exception";
  wasi.answers.push_back(failed);
  auto executor = this->executor();
  const auto result = run(executor, program("import json\n"));
  ASSERT_EQ(wasi.given.size(), 2u);
  EXPECT_EQ(wasi.given[0].engine, EngineWish::any);
  EXPECT_EQ(wasi.given[1].engine, EngineWish::wasi) << "not to be left again";
  EXPECT_EQ(result.outcome.status, Status::failed);
  EXPECT_EQ(result.outcome.engine.chosen_because, "a WASI cell has no sockets, and Docker is not configured");
  EXPECT_EQ(result.outcome.failure->hint, result.outcome.engine.chosen_because);
}

TEST_F(ExecutorPackages, where_docker_cannot_take_it_wasi_keeps_it) {
  wasi.answers.push_back(left_for("threads"));
  docker.answers.push_back(fail("at_capacity", "no cell was free in time"));
  auto executor = this->executor();
  const auto result = run(executor, program("import json\n"));
  EXPECT_EQ(wasi.given.size(), 2u);
  EXPECT_EQ(result.outcome.engine.chosen_because, "a WASI cell has no threads, and no cell was free in time");
}

TEST_F(ExecutorPackages, on_docker_it_has_the_packages_of_docker) {
  wasi.answers.push_back(left_for("threads"));
  auto executor = this->executor();
  const auto result = run(executor, program("import six\n"));
  ASSERT_TRUE(docker.given.at(0).packages && wasi.given.at(0).packages);
  EXPECT_NE(docker.given[0].packages->entry, wasi.given[0].packages->entry);
  EXPECT_EQ(result.installed.size(), 2u);
  EXPECT_EQ(installs(), 2u);
}

}  // namespace
}  // namespace hotcell::exec
