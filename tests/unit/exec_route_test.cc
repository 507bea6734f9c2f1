#include "exec/route.h"

#include <gtest/gtest.h>

namespace hotcell::exec {
namespace {

using protocol::EngineWish;
using protocol::Language;
using protocol::Request;

enum class Docker { absent, down, up };

Engines engines(Docker docker) {
  Engines all;
  if (docker != Docker::absent)
    all.docker = [docker] { return EngineState{true, docker == Docker::up, "cannot connect to docker.sock"}; };
  all.wasi.configured = all.wasi.up = true;
  all.wasi_images = {Language::python};
  return all;
}

Route route(const std::string& code, Docker docker, Request request = {}, std::optional<Engines> given = {}) {
  request.code = code;
  auto syntax = validate::Syntax::parse(request.language, code);
  auto needs = deps::find_needs(request.language, code, validate::find_imports(*syntax), request.dependencies,
                                request.files, {}, {});
  EXPECT_TRUE(needs.has_value());
  return choose_engine(request, &*needs, given.value_or(engines(docker)));
}

std::string shown(const Route& route) { return std::string(name_of(route.engine)) + ": " + route.reason; }

Request wishing(EngineWish wish) {
  Request request;
  request.engine = wish;
  return request;
}

TEST(Route, the_standard_library_goes_to_wasi) {
  EXPECT_EQ(shown(route("import json, sqlite3, asyncio\n", Docker::up)), "wasi: only the standard library is used");
  EXPECT_EQ(shown(route("print(1)\n", Docker::absent)), "wasi: nothing is imported");
}

TEST(Route, docker_is_looked_at_only_where_that_decides) {
  auto all = engines(Docker::up);
  unsigned asked = 0;
  all.docker = [&] { return ++asked, EngineState{true, true, {}}; };
  EXPECT_EQ(route("import json\n", Docker::up, {}, all).engine, EngineChoice::wasi);
  EXPECT_EQ(route("import ssl\n", Docker::up, wishing(EngineWish::wasi), all).engine, EngineChoice::wasi);
  EXPECT_EQ(asked, 0u);
  EXPECT_EQ(route("import ssl\n", Docker::up, {}, all).engine, EngineChoice::docker);
  EXPECT_EQ(asked, 1u);
}

TEST(Route, what_wasi_lacks_goes_to_docker_with_the_reason) {
  EXPECT_EQ(shown(route("import ssl\n", Docker::up)), "docker: ssl needs the module _ssl (line 1)");
  EXPECT_EQ(shown(route("import threading as t\nt.Thread(target=f).start()\n", Docker::up)),
            "docker: threading.Thread starts a thread (line 2)");
  EXPECT_EQ(shown(route("from os import fork\nfork()\n", Docker::up)), "docker: os.fork is not there (line 1)");
  EXPECT_EQ(shown(route("import subprocess\nsubprocess.run(['ls'])\n", Docker::up)),
            "docker: subprocess.run starts a process (line 2)");
  EXPECT_EQ(shown(route("import socket\ns = socket.socket()\n", Docker::up)),
            "docker: socket.socket opens a socket (line 2)");
}

TEST(Route, a_module_is_not_its_worst_function) {
  EXPECT_EQ(
      route("import threading, subprocess, socket\nthreading.Lock()\nsubprocess.list2cmdline(['a'])\n", Docker::up)
          .engine,
      EngineChoice::wasi);
}

TEST(Route, packages_with_compiled_code_go_to_docker) {
  EXPECT_EQ(shown(route("import rich\nimport numpy as np\n", Docker::up)), "docker: numpy has compiled code (line 2)");
  EXPECT_EQ(shown(route("import requests\n", Docker::up)), "docker: requests uses the network (line 1)");
}

TEST(Route, pure_packages_go_to_wasi_once_it_takes_them) {
  auto all = engines(Docker::up);
  EXPECT_EQ(route("import rich\n", Docker::up, {}, all).engine, EngineChoice::docker);
  all.wasi_takes_packages = true;
  EXPECT_EQ(shown(route("import rich\n", Docker::up, {}, all)),
            "wasi: only the standard library and pure packages are used");
  EXPECT_EQ(route("import some_unknown_thing\n", Docker::up, {}, all).engine, EngineChoice::docker);
}

TEST(Route, without_docker_a_certain_obstacle_is_engine_unavailable) {
  const auto refused = route("import math\nimport ssl\n", Docker::absent);
  EXPECT_EQ(refused.engine, EngineChoice::none);
  ASSERT_TRUE(refused.failure);
  EXPECT_EQ(refused.failure->code, "engine_unavailable");
  EXPECT_EQ(refused.failure->kind, "rejected");
  EXPECT_EQ(refused.failure->line, 2u);
  EXPECT_FALSE(refused.failure->retryable);
  EXPECT_EQ(refused.failure->message,
            "ssl needs the module _ssl (line 2): only Docker can run that, and Docker is not configured");
  EXPECT_TRUE(route("import ssl\n", Docker::down).failure->retryable);
  EXPECT_NE(route("import ssl\n", Docker::down).failure->message.find("docker.sock"), std::string::npos);
}

TEST(Route, without_docker_a_possible_obstacle_is_run_and_told) {
  const auto tried = route("import os\ndef f():\n  os.fork()\n", Docker::absent);
  EXPECT_EQ(tried.engine, EngineChoice::wasi);
  ASSERT_EQ(tried.obstacles.size(), 1u);
  EXPECT_FALSE(tried.obstacles[0].certain);
  EXPECT_EQ(route("import os\ndef f():\n  os.fork()\n", Docker::up).engine, EngineChoice::docker);
}

TEST(Route, an_import_that_nobody_knows_fails_as_the_interpreter_says) {
  EXPECT_EQ(route("import zq_nothing_like_it\n", Docker::absent).engine, EngineChoice::wasi);
}

TEST(Route, what_the_program_can_do_without_is_no_obstacle) {
  EXPECT_EQ(route("try:\n  import ssl\nexcept ImportError:\n  ssl = None\n", Docker::up).engine, EngineChoice::wasi);
  EXPECT_EQ(route("try:\n  import numpy\nexcept ImportError:\n  pass\n", Docker::up).engine, EngineChoice::wasi);
  EXPECT_EQ(route("if sys.platform == 'win32':\n  import winreg\n", Docker::up).engine, EngineChoice::wasi);
}

TEST(Route, an_explicit_wish_is_honoured) {
  EXPECT_EQ(shown(route("print(1)\n", Docker::up, wishing(EngineWish::docker))), "docker: asked for");
  EXPECT_EQ(shown(route("import ssl\n", Docker::up, wishing(EngineWish::wasi))), "wasi: asked for");
  const auto refused = route("print(1)\n", Docker::absent, wishing(EngineWish::docker));
  EXPECT_EQ(refused.failure->message, "engine docker was asked for, but Docker is not configured");
}

TEST(Route, bash_goes_to_docker_where_there_is_one) {
  Request request;
  request.language = Language::bash;
  EXPECT_EQ(shown(route("ls\n", Docker::up, request)), "docker: Bash runs in Docker where there is one");
  EXPECT_EQ(route("ls\n", Docker::absent, request).failure->code, "engine_unavailable");
  auto all = engines(Docker::absent);
  all.wasi_images.push_back(Language::bash);
  EXPECT_EQ(shown(route("ls\n", Docker::absent, request, all)), "wasi: there is a WASI image for Bash");
}

TEST(Route, a_language_without_a_wasi_image_needs_docker) {
  Request request;
  request.language = Language::javascript;
  EXPECT_EQ(shown(route("1", Docker::up, request)), "docker: there is no WASI image for JavaScript");
  request.engine = EngineWish::wasi;
  EXPECT_EQ(route("1", Docker::up, request).failure->code, "engine_unavailable");
}

TEST(Route, fields_that_one_engine_has_decide) {
  Request request;
  request.network.mode = protocol::NetworkMode::open;
  EXPECT_EQ(shown(route("print(1)\n", Docker::up, request)), "docker: network: a WASI cell has no network");
  request = {};
  request.argv = {{"ls"}};
  EXPECT_EQ(choose_engine(request, nullptr, engines(Docker::up)).engine, EngineChoice::docker);
  EXPECT_EQ(choose_engine(request, nullptr, engines(Docker::absent)).failure->code, "engine_unavailable");
  request = {};
  request.limits.fuel = 1000;
  EXPECT_EQ(shown(route("import ssl\n", Docker::up, request)), "wasi: fuel is counted in WASI cells only");
  request = {};
  request.language = Language::wasm;
  EXPECT_EQ(choose_engine(request, nullptr, engines(Docker::up)).engine, EngineChoice::wasi);
  request.engine = EngineWish::docker;
  EXPECT_EQ(choose_engine(request, nullptr, engines(Docker::up)).engine, EngineChoice::none);
}

TEST(Route, without_a_wasi_engine_everything_goes_to_docker) {
  auto all = engines(Docker::up);
  all.wasi.up = false;
  all.wasi.why_down = "there are no images";
  EXPECT_EQ(shown(route("print(1)\n", Docker::up, {}, all)),
            "docker: the WASI engine is not available: there are no images");
  all.docker = {};
  EXPECT_EQ(route("print(1)\n", Docker::up, {}, all).failure->code, "engine_unavailable");
}

TEST(Route, obstacles_are_bounded_and_the_certain_come_first) {
  std::string code = "import os\ndef f():\n  os.getuid()\n";
  for (const auto* name :
       {"fork",    "forkpty",   "getgid",    "getppid",    "setuid",   "setgid",   "wait",     "waitpid", "killpg",
        "nice",    "openpty",   "chroot",    "mkfifo",     "mknod",    "getpgid",  "setsid",   "uname2",  "getsid",
        "setpgid", "tcgetpgrp", "getgroups", "initgroups", "setregid", "setreuid", "setresuid"})
    code += "  os." + std::string(name) + "()\n";
  const auto found = route(code + "import ssl\n", Docker::up);
  EXPECT_EQ(found.obstacles.size(), kMostObstacles);
  EXPECT_EQ(found.obstacles[0].what, "ssl");
}

}  // namespace
}  // namespace hotcell::exec
