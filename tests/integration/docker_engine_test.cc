// The whole engine against a real daemon, with the real agent and the real runtime image.
#include "docker/engine.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include "docker/maker.h"
#include "docker/owner.h"
#include "real_docker.h"

extern char** environ;

namespace hotcell::testing {
namespace {

using namespace protocol;
using namespace std::chrono_literals;
using docker::DockerEngine;
using docker::EngineOptions;
using docker::PoolMode;
namespace fs = std::filesystem;

struct Heard final : OutputSink {
  std::string out, err;
  int input = -1;
  std::function<void(const std::string& out)> then = [](const std::string&) {};
  void output(protocol::Stream stream, std::span<const char> bytes) override {
    (stream == protocol::Stream::out ? out : err).append(bytes.data(), bytes.size());
    then(out);
  }
  int input_fd() override { return input; }
};

class RealEngine : public RealDocker {
 protected:
  void SetUp() override {
    RealDocker::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    std::string name = (fs::temp_directory_path() / "hotcell-real-XXXXXX").string();
    state = mkdtemp(name.data());
    options.state = state;
    options.agent = fs::path(kBinFolder) / "hotcell-agent";
    options.allowed_images = {image};
    options.pool.mode = PoolMode::off;
    const auto runtime = client->inspect_image(options.image, soon());
    if (runtime) return;
    const char* required = std::getenv("HOTCELL_REQUIRE_DOCKER");
    if (required && std::string(required) == "1") FAIL() << runtime.error().message;
    GTEST_SKIP() << runtime.error().message << ": scripts/docker-images makes it";
  }
  void TearDown() override {
    engine_.reset();
    if (!state.empty()) {
      expect_nothing_left(state);
      fs::remove_all(state);
    }
    RealDocker::TearDown();
  }

  // The daemon removes by itself what ended; it may take a moment.
  void expect_nothing_left(const fs::path& folder) {
    const auto home = docker::Home::open(folder).value();
    const std::string ours = std::string(docker::kHomeLabel) + "=" + home.id();
    for (const auto end = Deadline::after(20s); !end.passed(); std::this_thread::yield())
      if (must(client->list({ours}, soon())).empty()) break;
    for (const auto& left : must(client->list({ours}, soon()))) ADD_FAILURE() << left.name << " is " << left.state;
    EXPECT_TRUE(must(client->list_networks({ours}, soon())).empty());
  }

  DockerEngine& engine() {
    if (!engine_) engine_ = DockerEngine::create(options).value();
    return *engine_;
  }
  static Request program(std::string code, Language language = Language::python) {
    Request out;
    out.language = language;
    out.code = std::move(code);
    out.engine = EngineWish::docker;
    out.timeout_seconds = 20;
    return out;
  }
  Request command(std::vector<std::string> argv) {
    Request out;
    out.argv = std::move(argv);
    out.timeout_seconds = 20;
    return out;
  }
  Outcome run(const Request& request, OutputSink* sink = nullptr, const StopToken* stop = nullptr) {
    auto outcome = engine().run(request, sink, stop);
    if (outcome) return std::move(*outcome);
    ADD_FAILURE() << outcome.error().code << ": " << outcome.error().message;
    return {};
  }
  static std::string code_of(const Outcome& outcome) { return outcome.failure ? outcome.failure->code : "none"; }
  std::vector<docker::api::ListedContainer> containers() {
    const auto home = docker::Home::open(state).value();
    return must(client->list({std::string(docker::kHomeLabel) + "=" + home.id()}, soon()));
  }

  fs::path state;
  EngineOptions options;

 private:
  std::unique_ptr<DockerEngine> engine_;
};

// ---- Programs ----

TEST_F(RealEngine, each_language_runs_and_says_how_it_ended) {
  const std::vector<std::pair<Language, std::pair<const char*, const char*>>> languages = {
      {Language::python, {"import sys; print(sys.argv[1:]); sys.exit(3)", "['a', 'b c']\n"}},
      {Language::javascript, {"console.log(process.argv.slice(2)); process.exit(3)", "[ 'a', 'b c' ]\n"}},
      {Language::javascript, {"import fs from 'fs'; console.log(typeof fs.statSync); process.exit(3)", "function\n"}},
      {Language::bash, {"printf '%s\\n' \"$@\"; exit 3", "a\nb c\n"}}};
  for (const auto mode : {PoolMode::off, PoolMode::prefer}) {
    auto how = options;
    how.pool.mode = mode;
    const auto engine = DockerEngine::create(how).value();
    for (const auto& [language, text] : languages) {
      auto request = program(text.first, language);
      request.args = {"a", "b c"};
      const auto out = engine->run(request, nullptr, nullptr);
      ASSERT_TRUE(out) << out.error().message;
      EXPECT_EQ(out->out.bytes, text.second);
      EXPECT_EQ(out->err.bytes, "");
      EXPECT_EQ(out->status, Status::failed);
      EXPECT_EQ(out->exit_code, 3);
      EXPECT_EQ(out->engine.name, "docker");
      EXPECT_TRUE(out->engine.image.starts_with("sha256:"));
    }
  }
}

TEST_F(RealEngine, an_exception_comes_with_its_traceback_and_line) {
  const auto out = run(program("def f():\n  raise ValueError('no')\nf()\n"));
  EXPECT_EQ(out.status, Status::failed);
  EXPECT_EQ(code_of(out), "exception");
  EXPECT_EQ(out.failure->name, "ValueError");
  EXPECT_EQ(out.failure->message, "no");
  EXPECT_EQ(out.failure->line, 2u);
  EXPECT_EQ(out.failure->traceback, out.err.bytes);
  const auto js = run(program("function f() {\n  throw new TypeError('no')\n}\nf()\n", Language::javascript));
  EXPECT_EQ(js.failure->name, "TypeError");
  EXPECT_EQ(js.failure->line, 2u);
}

TEST_F(RealEngine, a_signal_is_told_by_name) {
  const auto out = run(program("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"));
  EXPECT_EQ(out.status, Status::failed);
  EXPECT_EQ(out.signal, "SIGSEGV");
}

TEST_F(RealEngine, files_go_in_and_come_out_by_their_change) {
  auto request = program(
      "import os\n"
      "assert open('given.txt').read() == 'as given'\n"
      "open('given.txt', 'w').write('changed')\n"
      "os.remove('sub/gone.txt')\n"
      "os.makedirs('new/deep')\n"
      "open('new/deep/made.bin', 'wb').write(bytes(range(256)) * 1000)\n"
      "os.symlink('/etc/passwd', 'link')\n"
      "print(oct(os.stat('tool').st_mode & 0o777))\n");
  request.files = {{"given.txt", "as given", std::nullopt, std::nullopt, false},
                   {"sub/gone.txt", "x", std::nullopt, std::nullopt, false},
                   {"kept.txt", "kept", std::nullopt, std::nullopt, false},
                   {"tool", "#!", std::nullopt, 0755, false}};
  request.collect.paths = {"kept.*"};
  request.collect.inline_bytes = 1 << 20;
  const auto out = run(request);
  EXPECT_EQ(out.out.bytes, "0o755\n") << out.err.bytes;
  std::map<std::string, std::pair<Change, std::string>> files;
  for (const auto& file : out.files) files[file.path] = {file.change, file.content};
  EXPECT_EQ(files.size(), 4u);
  EXPECT_EQ(files["given.txt"], std::pair(Change::modified, std::string("changed")));
  EXPECT_EQ(files["sub/gone.txt"].first, Change::deleted);
  EXPECT_EQ(files["new/deep/made.bin"].second.size(), 256'000u);
  EXPECT_EQ(files["kept.txt"].second, "kept");
}

TEST_F(RealEngine, input_comes_with_the_request_or_as_the_program_reads) {
  auto request = program("import sys; data = sys.stdin.buffer.read(); print(len(data), data[-3:])");
  request.stdin_bytes = std::string(3'000'000, 'x') + "end";
  EXPECT_EQ(run(request).out.bytes, "3000003 b'end'\n");
  EXPECT_EQ(run(program("import sys; print(repr(sys.stdin.read()))")).out.bytes, "''\n");

  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  Fd in(ends[0]), feed(ends[1]);
  Heard sink;
  sink.input = in.get();
  int answered = 0;
  // Each line is written only when the answer to the one before has arrived.
  sink.then = [&](const std::string& out) {
    const auto lines = std::count(out.begin(), out.end(), '\n');
    for (; answered < lines; ++answered) {
      if (answered == 3)
        feed.reset();
      else
        EXPECT_EQ(write(feed.get(), "next\n", 5), 5);
    }
  };
  const auto out = run(
      program("import sys\nprint('ready', flush=True)\nfor line in sys.stdin: print(line.upper(), end='', flush=True)"),
      &sink);
  EXPECT_EQ(out.status, Status::completed);
  EXPECT_EQ(sink.out, "ready\nNEXT\nNEXT\nNEXT\n");
}

TEST_F(RealEngine, any_program_of_the_image_runs_by_its_argv) {
  EXPECT_EQ(run(command({"sh", "-c", "echo $0 $1", "x", "y"})).out.bytes, "x y\n");
  EXPECT_EQ(run(command({"no-such-program"})).exit_code, 127);
  EXPECT_EQ(run(command({"/etc/passwd"})).exit_code, 126);
  // Of an image with nothing in it but one program.
  auto request = command({"/guest"});
  request.image = image;
  request.stdin_bytes = "say hello\nexit 7\n";
  const auto out = run(request);
  EXPECT_EQ(out.out.bytes, "hello\n");
  EXPECT_EQ(out.exit_code, 7);
}

TEST_F(RealEngine, an_image_without_the_interpreter_says_so) {
  auto request = program("print(1)");
  request.image = image;
  for (const auto mode : {PoolMode::off, PoolMode::prefer}) {
    auto how = options;
    how.pool.mode = mode;
    const auto out = DockerEngine::create(how).value()->run(request, nullptr, nullptr);
    ASSERT_TRUE(out) << out.error().message;
    EXPECT_EQ(out->status, Status::rejected);
    EXPECT_EQ(code_of(*out), "engine_unavailable") << out->failure->message;
  }
}

TEST_F(RealEngine, an_image_that_is_not_there_says_so) {
  auto how = options;
  how.image = "hotcell-test/nowhere:1";
  const auto out = DockerEngine::create(how).value()->run(program("print(1)"), nullptr, nullptr);
  ASSERT_TRUE(out) << out.error().message;
  EXPECT_EQ(out->status, Status::rejected);
  EXPECT_NE(out->failure->message.find("hotcell-test/nowhere:1"), std::string::npos) << out->failure->message;
}

TEST_F(RealEngine, an_image_that_brings_a_volume_is_not_used) {
  const auto tar = guest_tar().open();
  const auto with_volume = must(client->import_image(tar.get(), "hotcell-test/volume", std::to_string(getpid()),
                                                     {"LABEL " + label, "VOLUME /data"}, soon()));
  options.allowed_images.push_back(with_volume);
  auto request = command({"/guest"});
  request.image = with_volume;
  const auto out = engine().run(request, nullptr, nullptr);
  ASSERT_FALSE(out);
  EXPECT_NE(out.error().message.find("other mounts"), std::string::npos) << out.error().message;
}

// ---- Limits ----

TEST_F(RealEngine, each_limit_ends_in_an_outcome_of_its_own) {
  struct Case {
    const char* code;
    Request request;
    Status status;
  };
  std::vector<Case> cases;
  auto& time = cases.emplace_back("timeout", program("while True: pass"), Status::timeout).request;
  time.timeout_seconds = 0.5;
  auto& cpu = cases.emplace_back("cpu_limit", program("while True: pass"), Status::timeout).request;
  cpu.limits.cpu_seconds = 0.3;
  auto& memory =
      cases.emplace_back("memory_limit", program("x = bytearray(300 << 20)"), Status::limit_exceeded).request;
  memory.limits.memory_bytes = 64u << 20;
  auto& child =
      cases
          .emplace_back("memory_limit",
                        program("import subprocess, sys\n"
                                "subprocess.run([sys.executable, '-c', 'x = bytearray(300 << 20)'], check=True)"),
                        Status::limit_exceeded)
          .request;
  child.limits.memory_bytes = 64u << 20;
  auto& pids = cases
                   .emplace_back("process_limit",
                                 program("import os, time\nfor i in range(100):\n  if os.fork() == 0: time.sleep(60)"),
                                 Status::limit_exceeded)
                   .request;
  pids.limits.pids = 16;
  auto& disk =
      cases.emplace_back("disk_limit", program("open('big', 'wb').write(bytes(8 << 20))"), Status::limit_exceeded)
          .request;
  disk.limits.disk_bytes = 4u << 20;
  auto& shell =
      cases.emplace_back("disk_limit", program("head -c 8M /dev/zero > big", Language::bash), Status::limit_exceeded)
          .request;
  shell.limits.disk_bytes = 4u << 20;
  auto& result =
      cases.emplace_back("result_limit", program("raise ValueError('x' * 100_000)"), Status::limit_exceeded).request;
  result.limits.result_bytes = 10'000;
  for (const auto& [code, request, status] : cases) {
    const auto out = run(request);
    EXPECT_EQ(out.status, status) << code << ": " << out.err.bytes;
    EXPECT_EQ(code_of(out), code) << *request.code << out.err.bytes;
  }
}

TEST_F(RealEngine, a_limit_is_really_there) {
  auto request = program(
      "import os\nprint(open('/sys/fs/cgroup/memory/memory.limit_in_bytes').read().strip() if "
      "os.path.exists('/sys/fs/cgroup/memory') else open('/sys/fs/cgroup/memory.max').read().strip())");
  request.limits.memory_bytes = 48u << 20;
  request.limits.cpus = 0.5;
  request.limits.pids = 20;
  const auto out = run(request);
  EXPECT_EQ(out.out.bytes, std::to_string(48u << 20) + "\n");
  EXPECT_EQ(out.limits.cpus, 0.5);
}

TEST_F(RealEngine, a_flood_is_cut_and_counted_and_does_not_stop_the_program) {
  auto request = program("import sys\nfor i in range(20000): print('line', i)\nprint('the end', file=sys.stderr)");
  request.limits.output_bytes = 1000;
  Heard sink;
  const auto out = run(request, &sink);
  EXPECT_EQ(out.status, Status::completed);
  EXPECT_TRUE(out.out.truncated);
  EXPECT_TRUE(out.out.bytes.starts_with("line 0\nline 1\n"));
  EXPECT_TRUE(out.out.bytes.ends_with("line 19998\nline 19999\n"));
  EXPECT_EQ(out.out.total, 10 * 7 + 90 * 8 + 900 * 9 + 9000 * 10 + 10000u * 11);
  EXPECT_EQ(sink.out.size(), 1000u);
  EXPECT_EQ(out.err.bytes, "the end\n");
}

TEST_F(RealEngine, a_timeout_ends_everything_that_the_program_started) {
  auto request = program(
      "import os, signal, time\n"
      "signal.signal(signal.SIGINT, signal.SIG_IGN); signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
      "for i in range(5):\n"
      "  if os.fork() == 0:\n"
      "    os.setsid()\n"
      "    if os.fork(): os._exit(0)\n"
      "    time.sleep(1000)\n"
      "print('started', flush=True)\n"
      "time.sleep(1000)\n");
  request.timeout_seconds = 1;
  const auto begun = Deadline::Clock::now();
  const auto out = run(request);
  EXPECT_EQ(out.status, Status::timeout);
  EXPECT_EQ(out.out.bytes, "started\n");
  EXPECT_LT(Deadline::Clock::now() - begun, 10s);
}

// ---- Ends that nobody planned ----

TEST_F(RealEngine, a_run_can_be_cancelled_while_it_is_made_and_while_it_runs) {
  for (const auto wait : {0ms, 30ms, 80ms, 150ms, 400ms}) {
    StopToken stop;
    std::jthread stopper([&] {
      std::this_thread::sleep_for(wait);  // a moment of a run, not something to wait for
      stop.stop();
    });
    const auto begun = Deadline::Clock::now();
    EXPECT_EQ(run(program("import time; time.sleep(1000)"), nullptr, &stop).status, Status::cancelled);
    EXPECT_LT(Deadline::Clock::now() - begun, 10s);
  }
}

TEST_F(RealEngine, a_container_that_is_removed_behind_our_back_costs_its_run_only) {
  Heard sink;
  bool removed = false;
  sink.then = [&](const std::string&) {
    if (std::exchange(removed, true)) return;
    for (const auto& one : containers()) must(client->remove(one.id, soon()));
  };
  const auto begun = Deadline::Clock::now();
  const auto out = run(program("import time; print('up', flush=True); time.sleep(1000)"), &sink);
  EXPECT_TRUE(removed);
  EXPECT_EQ(out.status, Status::sandbox_error);
  EXPECT_EQ(code_of(out), "worker_lost");
  EXPECT_TRUE(out.failure->retryable);
  EXPECT_LT(Deadline::Clock::now() - begun, 10s);
  EXPECT_EQ(run(program("print(1)")).out.bytes, "1\n");
}

TEST_F(RealEngine, a_cell_that_dies_when_its_memory_has_run_out_met_its_limit) {
  Heard sink;
  bool killed = false;
  sink.then = [&](const std::string& out) {
    if (out.find("left") == out.npos || std::exchange(killed, true)) return;
    for (const auto& one : containers()) must(client->kill(one.id, soon()));
  };
  const auto out = run(program("import os, time\n"
                               "if os.fork() == 0: x = bytearray(2_000_000_000)\n"
                               "status = os.wait()[1]\n"
                               "time.sleep(1)\n"  // the daemon hears of it by the way
                               "print('left', status, flush=True)\n"
                               "time.sleep(1000)"),
                       &sink);
  EXPECT_TRUE(killed);
  EXPECT_EQ(out.status, Status::limit_exceeded);
  EXPECT_EQ(code_of(out), "memory_limit");
  EXPECT_EQ(out.out.bytes, "left 9\n");
  EXPECT_EQ(run(program("print(1)")).out.bytes, "1\n");
}

TEST_F(RealEngine, ready_cells_that_are_removed_behind_our_back_are_replaced_before_they_are_used) {
  options.pool.mode = PoolMode::prefer;
  ASSERT_TRUE(engine().warm(program(""), 2, soon()));
  for (const auto& one : containers()) must(client->remove(one.id, soon()));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(run(program("print(1)")).out.bytes, "1\n");
}

// ---- Ready cells ----

TEST_F(RealEngine, a_ready_cell_takes_other_limits_and_every_cell_has_a_uid_of_its_own) {
  options.pool.mode = PoolMode::prefer;
  ASSERT_TRUE(engine().warm(program(""), 3, soon()));
  std::set<std::string> uids;
  for (int i = 0; i < 3; ++i) {
    auto request = program("import os; print(os.getuid())");
    if (i == 1) request.limits.memory_bytes = 100u << 20;
    const auto out = run(request);
    EXPECT_EQ(out.engine.start, "warm");
    EXPECT_EQ(out.status, Status::completed);
    uids.insert(out.out.bytes);
  }
  EXPECT_EQ(uids.size(), 3u);
}

TEST_F(RealEngine, a_tenants_cell_is_used_again_and_shows_nothing_of_the_run_before) {
  options.pool.mode = PoolMode::prefer;
  options.pool.min = options.pool.max = 1;
  options.reuse = docker::Reuse::tenant;
  ASSERT_TRUE(engine().warm(program(""), 1, soon()));
  std::set<std::string> uids;
  for (int i = 0; i < 6; ++i) {
    auto request = program(
        "import os, subprocess\n"
        "left = [d + '/' + f for d in ('/workspace', '/tmp', '/dev/shm', '/dev/mqueue') for f in os.listdir(d)]\n"
        "print(os.getuid(), left, len([p for p in os.listdir('/proc') if p.isdigit()]))\n"
        "for d in ('/workspace', '/tmp', '/dev/shm'):\n"
        "  os.makedirs(d + '/.hidden/deep'); open(d + '/.hidden/deep/f', 'w').write('x'); os.chmod(d + '/.hidden', 0)\n"
        "subprocess.Popen(['sleep', '1000'], start_new_session=True)\n");
    const auto out = run(request);
    EXPECT_EQ(out.status, Status::completed) << out.err.bytes;
    const auto space = out.out.bytes.find(' ');
    uids.insert(out.out.bytes.substr(0, space));
    EXPECT_EQ(out.out.bytes.substr(space), " ['/workspace/main.py'] 2\n") << i;
    for (const auto end = Deadline::after(20s); engine().counts().cleaning > 0;) ASSERT_FALSE(end.passed());
  }
  EXPECT_GE(engine().counts().reused, 5u);
  EXPECT_LT(uids.size(), 6u);  // a cell keeps its uid
}

TEST_F(RealEngine, many_at_once_all_get_a_cell) {
  options.pool.mode = PoolMode::prefer;
  std::atomic<int> right = 0;
  {
    auto& shared = engine();
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i)
      threads.emplace_back([&, i] {
        const auto out = shared.run(program("print(" + std::to_string(i) + ")"), nullptr, nullptr);
        if (out && out->out.bytes == std::to_string(i) + "\n") ++right;
      });
  }
  EXPECT_EQ(right, 8);
}

// ---- The lock-down ----

TEST_F(RealEngine, every_line_of_the_lock_down_holds_and_every_missing_one_is_noticed) {
  const auto found = engine().diagnose(true, docker::api::Until::seconds(120));
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_FALSE(found->error) << found->error->message;
  EXPECT_EQ(docker::differences(found->cell), "");
  EXPECT_GE(found->mutations.size(), docker::lockdown_lines().size() - 1);
  for (const auto& one : found->mutations) EXPECT_TRUE(one.noticed) << one.line << ": " << one.how;
  EXPECT_TRUE(found->healthy());
}

// Wherever the daemon has gVisor: `scripts/test` gives it to the current daemon, if both have been built.
TEST_F(RealEngine, a_runtime_with_a_kernel_of_its_own_is_proven_and_used) {
  const auto info = must(client->info(soon()));
  if (std::find(info.runtimes.begin(), info.runtimes.end(), "runsc") == info.runtimes.end())
    GTEST_SKIP() << "this daemon has no runtime runsc: scripts/runsc builds it";
  options.runtime = "runsc";
  const auto found = engine().diagnose(true, docker::api::Until::seconds(120));
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(docker::differences(found->cell), "");
  for (const auto& one : found->mutations) EXPECT_TRUE(one.noticed) << one.line << ": " << one.how;
  const auto outcome = run(program("import os\nprint(os.uname().release)\nopen('out', 'w').write('x')"));
  EXPECT_EQ(outcome.status, Status::completed) << code_of(outcome);
  EXPECT_NE(outcome.out.bytes.find("gvisor"), std::string::npos) << outcome.out.bytes;
  EXPECT_EQ(outcome.files.size(), 1u);
  auto endless = program("while True: pass");
  endless.timeout_seconds = 1;
  EXPECT_EQ(code_of(run(endless)), "timeout");
  // The kernel that kills for memory knows the runtime only, not the programs in it.
  EXPECT_EQ(code_of(run(program("x = b'x' * (600 << 20)"))), "worker_lost");
  EXPECT_EQ(run(program("print(1)")).out.bytes, "1\n");
}

TEST_F(RealEngine, without_a_network_there_is_none) {
  const auto out = run(
      program("import socket\n"
              "for family, address in ((socket.AF_INET, ('192.0.2.1', 80)), (socket.AF_INET6, ('2001:db8::1', 80))):\n"
              "  try: socket.socket(family).connect(address); print('connected')\n"
              "  except OSError as error: print(error.errno)\n"
              "try: socket.getaddrinfo('example.com', 80); print('resolved')\n"
              "except OSError: print('no name')\n"));
  EXPECT_EQ(out.out.bytes, "101\n101\nno name\n") << out.err.bytes;
}

TEST_F(RealEngine, with_a_network_only_public_addresses_can_be_reached) {
  auto request = program(
      "import errno, socket\n"
      "def reach(address, port=80):\n"
      "  with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:\n"
      "    try: s.connect((address, port)); return 'open'\n"
      "    except OSError as error: return errno.errorcode[error.errno]\n"
      "gateway = socket.inet_ntoa(int(next(l.split()[2] for l in open('/proc/net/route') if l.split()[1] == "
      "'00000000'), 16)"
      ".to_bytes(4, 'little'))\n"
      "print(reach('192.0.2.1'), reach('127.0.0.11', 53))\n"
      "print(*(reach(a) for a in ('10.1.2.3', '172.17.0.1', '192.168.1.1', '169.254.169.254', '100.64.1.1', "
      "'224.0.0.251',"
      " '255.255.255.255', gateway)))\n");
  request.network.mode = NetworkMode::open;
  const auto out = run(request);
  EXPECT_EQ(out.out.bytes, "open open\nEACCES EACCES EACCES EACCES EACCES EACCES EACCES EACCES\n") << out.err.bytes;
  // The cell cannot open what was shut, and a cell without a network is not in that of one that has it.
  request.code =
      "import socket\n"
      "try: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0); import os; print(os.system('ip rule del pref 200 "
      "2>&1'))\n"
      "except OSError as error: print('no netlink')\n";
  EXPECT_NE(run(request).out.bytes, "0\n");
}

TEST_F(RealEngine, a_network_that_is_not_allowed_is_refused) {
  options.allow_network = false;
  auto request = program("print(1)");
  request.network.mode = NetworkMode::open;
  const auto out = engine().run(request, nullptr, nullptr);
  ASSERT_FALSE(out);
  EXPECT_EQ(out.error().code, "forbidden");
}

// ---- Nothing is orphaned ----

// The hotcell command, as a process of its own.
pid_t start_hotcell(const fs::path& state, std::vector<std::string> args) {
  const auto program = (fs::path(kBinFolder) / "hotcell").string();
  args.insert(args.begin(), program);
  std::vector<char*> argv;
  for (auto& arg : args) argv.push_back(arg.data());
  argv.push_back(nullptr);
  std::vector<std::string> variables{"HOTCELL_STATE=" + state.string(), "HOTCELL_CONFIG=/dev/null"};
  for (char** one = environ; *one; ++one)
    if (!std::string_view(*one).starts_with("HOTCELL_")) variables.emplace_back(*one);
  std::vector<char*> env;
  for (auto& one : variables) env.push_back(one.data());
  env.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  pid_t pid = -1;
  if (posix_spawn(&pid, program.c_str(), &actions, nullptr, argv.data(), env.data())) pid = -1;
  posix_spawn_file_actions_destroy(&actions);
  return pid;
}

TEST_F(RealEngine, a_hotcell_that_is_killed_at_any_moment_leaves_nothing_after_the_next_start) {
  for (int i = 0; i < 12; ++i) {
    const pid_t pid = start_hotcell(state, {"run", "--engine", "docker", "-c", "import time; time.sleep(1000)"});
    ASSERT_GT(pid, 0);
    std::this_thread::sleep_for(std::chrono::milliseconds(i * 25));  // a moment of its life
    kill(pid, SIGKILL);
    ASSERT_EQ(waitpid(pid, nullptr, 0), pid);
  }
  // And one that keeps a pool.
  const pid_t pid = start_hotcell(state, {"bench", "--engine", "docker", "-c", "print(1)", "--runs", "1000"});
  for (const auto end = Deadline::after(30s); containers().size() < 3;) ASSERT_FALSE(end.passed());
  kill(pid, SIGKILL);
  ASSERT_EQ(waitpid(pid, nullptr, 0), pid);

  int status = 0;
  const pid_t next = start_hotcell(state, {"run", "--engine", "docker", "-c", "print(1)"});
  ASSERT_EQ(waitpid(next, &status, 0), next);
  EXPECT_EQ(status, 0);
  expect_nothing_left(state);
}

TEST_F(RealEngine, two_homes_do_not_touch_each_others_cells) {
  options.pool.mode = PoolMode::prefer;
  ASSERT_TRUE(engine().warm(program(""), 2, soon()));
  const auto before = containers();
  const auto other = state / "other";
  int status = -1;
  const pid_t sweeper = start_hotcell(other, {"sweep", "--all"});
  ASSERT_EQ(waitpid(sweeper, &status, 0), sweeper);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(containers().size(), before.size());
  EXPECT_EQ(run(program("print(1)")).engine.start, "warm");
  // Ours, while we live, are not swept either.
  const pid_t again = start_hotcell(state, {"sweep"});
  ASSERT_EQ(waitpid(again, &status, 0), again);
  EXPECT_EQ(run(program("print(1)")).engine.start, "warm");
  expect_nothing_left(other);
}

// ---- A daemon that stops, dies or freezes: one of our own, or the other tests would suffer ----

class OwnDaemon : public RealEngine {
 protected:
  void SetUp() override {
    RealEngine::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    folder_ = fs::canonical(fs::temp_directory_path()) / ("hotcell-daemon-" + std::to_string(getpid()));
    fs::create_directories(home());
    ASSERT_NO_FATAL_FAILURE(prepare());
    ASSERT_EQ(script("start --socket " + (folder_ / "d.sock").string()), 0);
    own_ = must(Client::connect({(folder_ / "d.sock").string()}, soon()));
    const auto tar = guest_tar().open();
    options.image = must(own_->import_image(tar.get(), "hotcell-test/guest", "own", {}, soon()));
    options.docker_host = "unix://" + (folder_ / "d.sock").string();
  }
  void TearDown() override {
    if (own_) {
      send(SIGCONT);
      script("stop");
    }
    umount2(home().c_str(), MNT_DETACH);
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
    RealEngine::TearDown();
  }
  virtual void prepare() {}
  fs::path home() const { return folder_ / "cache/hotcell/dockerd/installed"; }
  int script(const std::string& words) const {
    return std::system(("XDG_CACHE_HOME=" + folder_.string() + "/cache " + kSourceFolder + "/scripts/dockerd " + words +
                        " > /dev/null 2>&1")
                           .c_str());
  }
  void send(int signal) const {
    const auto pid = read_file(home() / "pid", 100);
    if (pid) kill(std::atoi(pid->c_str()), signal);
  }

  fs::path folder_;
  std::unique_ptr<Client> own_;
};

TEST_F(OwnDaemon, a_daemon_that_freezes_ends_runs_at_their_deadlines_and_goes_on_when_it_thaws) {
  auto how = options;
  auto engine = DockerEngine::create(how).value();
  auto request = command({"/guest"});
  request.stdin_bytes = "say hello\n";
  auto first = engine->run(request, nullptr, nullptr);
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_EQ(first->out.bytes, "hello\nend of input\n");

  // In the middle of a run.
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  Fd in(ends[0]), feed(ends[1]);
  Heard sink;
  sink.input = in.get();
  sink.then = [&](const std::string& out) {
    if (out == "up\n") send(SIGSTOP);
  };
  ASSERT_EQ(write(feed.get(), "say up\n", 7), 7);
  request.stdin_bytes.reset();
  request.timeout_seconds = 1;
  auto begun = Deadline::Clock::now();
  const auto frozen = engine->run(request, &sink, nullptr);
  ASSERT_TRUE(frozen) << frozen.error().message;
  EXPECT_EQ(frozen->status, Status::sandbox_error);
  EXPECT_EQ(frozen->out.bytes, "up\n");
  EXPECT_LT(Deadline::Clock::now() - begun, 15s);

  // Before it.
  request.deadline_seconds = 1;
  begun = Deadline::Clock::now();
  const auto none = engine->run(request, nullptr, nullptr);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, "engine_unavailable");
  EXPECT_LT(Deadline::Clock::now() - begun, 15s);

  send(SIGCONT);
  request.deadline_seconds.reset();
  request.timeout_seconds = 20;
  request.stdin_bytes = "say again\n";
  const auto thawed = engine->run(request, nullptr, nullptr);
  ASSERT_TRUE(thawed) << thawed.error().message;
  EXPECT_EQ(thawed->out.bytes, "again\nend of input\n");
  // What was created while nobody answered is known by its name, and removed; what still appears, by the next sweep.
  engine.reset();
  const auto home = docker::Home::open(state).value();
  must(docker::sweep(*own_, home, {}, soon()));
  for (const auto end = Deadline::after(20s); !must(own_->list({}, soon())).empty();) ASSERT_FALSE(end.passed());
}

TEST_F(OwnDaemon, a_daemon_that_dies_costs_the_runs_it_had_and_a_new_one_is_used_as_it_comes) {
  options.pool.mode = PoolMode::prefer;
  auto engine = DockerEngine::create(options).value();
  auto request = command({"/guest"});
  ASSERT_TRUE(engine->warm(request, 2, soon()));
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  Fd in(ends[0]), feed(ends[1]);
  Heard sink;
  sink.input = in.get();
  sink.then = [&](const std::string&) { send(SIGKILL); };
  ASSERT_EQ(write(feed.get(), "say up\n", 7), 7);
  const auto begun = Deadline::Clock::now();
  const auto lost = engine->run(request, &sink, nullptr);
  ASSERT_TRUE(lost) << lost.error().message;
  EXPECT_EQ(lost->status, Status::sandbox_error);
  EXPECT_LT(Deadline::Clock::now() - begun, 10s);
  request.deadline_seconds = 2;
  // The other ready cell may not have noticed yet, and a process that was killed takes a moment to go: until then a run
  // is lost as well, or its connection breaks.
  auto none = engine->run(request, nullptr, nullptr);
  for (const auto end = Deadline::after(20s); !end.passed(); none = engine->run(request, nullptr, nullptr)) {
    if (none) {
      EXPECT_EQ(none->status, Status::sandbox_error);
      continue;
    }
    EXPECT_EQ(none.error().code, "engine_unavailable");
    if (none.error().message.find("connection to the Docker daemon broke") == std::string::npos) break;
  }
  ASSERT_FALSE(none);
  EXPECT_NE(none.error().message.find("d.sock"), std::string::npos) << none.error().message;

  ASSERT_EQ(script("start --socket " + (folder_ / "d.sock").string()), 0);
  request.deadline_seconds.reset();
  request.stdin_bytes = "say again\n";
  const auto again = engine->run(request, nullptr, nullptr);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->out.bytes, "again\nend of input\n");
}

class SmallDaemon : public OwnDaemon {
 protected:
  void prepare() override { ASSERT_EQ(mount("hotcell-test", home().c_str(), "tmpfs", 0, "size=64m"), 0) << errno; }
};

TEST_F(SmallDaemon, a_full_disk_is_a_clear_error_and_over_when_there_is_room_again) {
  auto engine = DockerEngine::create(options).value();
  auto request = command({"/guest"});
  request.stdin_bytes = "say hello\n";
  request.deadline_seconds = 10;
  ASSERT_TRUE(engine->run(request, nullptr, nullptr));

  const auto filler = home() / "filler";
  {
    std::ofstream file(filler, std::ios::binary);
    for (const std::string block(64 << 10, 'x'); file.write(block.data(), block.size()) && file.flush();) {
    }
  }
  for (int i = 0; i < 3; ++i) {
    const auto full = engine->run(request, nullptr, nullptr);
    ASSERT_FALSE(full);
    EXPECT_EQ(full.error().code, "engine_unavailable");
    // The second is what a runc says that has lost the reason on its way.
    const auto said = [&](const char* words) { return full.error().message.find(words) != std::string::npos; };
    EXPECT_TRUE(said("no space left") || said("unable to store init state")) << full.error().message;
    EXPECT_FALSE(full.error().hint.empty());
  }
  fs::remove(filler);
  request.deadline_seconds.reset();
  const auto again = engine->run(request, nullptr, nullptr);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->out.bytes, "hello\nend of input\n");
  engine.reset();
  // A container that the daemon could not finish it shows for a moment longer.
  for (const auto end = Deadline::after_seconds(10); !must(own_->list({}, soon())).empty();) ASSERT_FALSE(end.passed());
}

}  // namespace
}  // namespace hotcell::testing
