#include "wasi/engine.h"

#include <sys/wait.h>

#include <atomic>
#include <future>
#include <thread>

#include "wasi/manifest.h"
#include "wasi_helpers.h"

namespace hotcell::wasi {
namespace {

using namespace testing;

constexpr const char* kLoop = "print('ready', flush=True)\nwhile True: pass";

double seconds_since(Deadline::Clock::time_point start) {
  return std::chrono::duration<double>(Deadline::Clock::now() - start).count();
}

TEST(WasiEngine, the_result_names_the_image_by_its_content) {
  const auto engine = testing::engine();
  const auto manifest = Manifest::load(hotcell::testing::images_folder() / "python");
  ASSERT_TRUE(manifest);
  EXPECT_EQ(outcome(*engine, python("")).engine.image, "sha256:" + manifest->wasm_sha256);
}

TEST(WasiEngine, a_killed_worker_costs_one_run_and_the_next_one_works) {
  const auto engine = testing::engine(options(1));
  Watch watch;
  auto run = std::async(std::launch::async, [&] { return outcome(*engine, python(kLoop), &watch); });
  ASSERT_TRUE(watch.wait_for("ready"));
  const auto all = descendants(getpid());
  ASSERT_EQ(all.size(), 2u) << "one zygote, one worker";
  kill(all[1], SIGKILL);
  const auto lost = run.get();
  EXPECT_EQ(lost.status, Status::sandbox_error);
  EXPECT_EQ(code_of(lost), "worker_lost");
  ASSERT_TRUE(lost.failure);
  EXPECT_TRUE(lost.failure->retryable);
  EXPECT_EQ(exit_status_of(lost), 125);
  EXPECT_TRUE(works(*engine));
  EXPECT_EQ(engine->counts().workers_lost, 1u);
  EXPECT_EQ(engine->counts().busy, 0u);
}

TEST(WasiEngine, a_worker_that_died_while_idle_costs_nothing) {
  const auto engine = testing::engine(options(1));
  ASSERT_TRUE(works(*engine));
  const auto all = descendants(getpid());
  ASSERT_EQ(all.size(), 2u);
  const Held worker({all[1]});
  worker.kill_all();
  ASSERT_TRUE(worker.all_gone());
  EXPECT_TRUE(works(*engine));
}

template <class Condition>
bool soon(Condition condition) {
  for (int i = 0; i < 2000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return condition();
}

TEST(WasiEngine, after_a_program_that_grew_a_warm_worker_waits_and_the_memory_is_gone) {
  const auto engine = testing::engine(options(4));
  const Held first(descendants(getpid()));
  ASSERT_EQ(outcome(*engine, python("x = bytearray(100 << 20)\nprint(len(x))")).out.bytes, "104857600\n");
  EXPECT_TRUE(soon([&] { return engine->counts().idle == 1; })) << "a spare is started without anybody asking";
  const auto before = engine->counts().workers_started;
  EXPECT_TRUE(works(*engine));
  EXPECT_LE(*engine->idle_cell_bytes(), 4u << 20);
  EXPECT_LE(engine->counts().workers_started, before + 1) << "nothing but the next spare";
}

TEST(WasiEngine, a_cell_that_nobody_needs_for_a_while_gives_its_pages_back) {
  const auto engine = testing::engine(options(1));
  ASSERT_EQ(outcome(*engine, python("x = [bytes(3000) for _ in range(400)]\nprint(len(x))")).out.bytes, "400\n");
  ASSERT_GT(*engine->idle_cell_bytes(), 1u << 20) << "the program was too small to show anything";
  EXPECT_TRUE(soon([&] { return *engine->idle_cell_bytes() <= 1u << 20; }));
  EXPECT_TRUE(works(*engine));
}

TEST(WasiEngine, a_killed_zygote_is_replaced_and_however_many_workers_went_with_it_the_next_run_works) {
  const auto engine = testing::engine(options(8));
  ASSERT_TRUE(engine->warm("python", 7));
  const auto all = descendants(getpid());
  ASSERT_EQ(all.size(), 8u);
  const Held held(all);
  kill(all[0], SIGKILL);
  ASSERT_TRUE(held.all_gone()) << "workers die with their zygote";
  EXPECT_TRUE(works(*engine));
  EXPECT_TRUE(works(*engine));
  EXPECT_EQ(engine->counts().busy, 0u);
}

TEST(WasiEngine, a_zygote_killed_during_a_run_loses_that_run_only) {
  const auto engine = testing::engine();
  Watch watch;
  auto run = std::async(std::launch::async, [&] { return outcome(*engine, python(kLoop), &watch); });
  ASSERT_TRUE(watch.wait_for("ready"));
  kill(children(getpid()).at(0), SIGKILL);
  EXPECT_EQ(code_of(run.get()), "worker_lost");
  EXPECT_TRUE(works(*engine));
}

TEST(WasiEngine, a_destroyed_engine_leaves_no_process_behind) {
  auto engine = testing::engine();
  ASSERT_TRUE(engine->warm("python", 3));
  auto fuel = python("print(1)");
  fuel.limits.fuel = 1'000'000'000;
  ASSERT_EQ(outcome(*engine, fuel).status, Status::completed);
  const Held held(descendants(getpid()));
  ASSERT_EQ(held.count(), 6u) << "two zygotes, three workers, one metered worker";
  engine.reset();
  EXPECT_TRUE(held.all_gone());
  EXPECT_TRUE(children(getpid()).empty());
}

TEST(WasiEngine, an_engine_whose_process_is_killed_leaves_no_process_behind) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const pid_t owner = fork();
  ASSERT_GE(owner, 0);
  if (owner == 0) {
    auto engine = WasiEngine::create(options());
    if (!engine) _exit(1);
    struct Tell : OutputSink {
      int fd;
      void output(Stream, std::span<const char>) override {
        const auto all = descendants(getpid());
        [[maybe_unused]] const auto sent = write(fd, all.data(), all.size() * sizeof(int));
      }
    } tell;
    tell.fd = ends[1];
    (void)(*engine)->run(python(kLoop, 60), &tell, nullptr);
    _exit(1);
  }
  close(ends[1]);
  std::vector<int> all(16);
  const auto got = read(ends[0], all.data(), all.size() * sizeof(int));
  close(ends[0]);
  ASSERT_EQ(got, static_cast<ssize_t>(2 * sizeof(int))) << "a zygote and a worker that loops";
  all.resize(2);
  const Held held(all);
  kill(owner, SIGKILL);
  waitpid(owner, nullptr, 0);
  EXPECT_TRUE(held.all_gone());
}

TEST(WasiEngine, a_run_that_waits_for_a_worker_gives_up_at_its_deadline) {
  const auto engine = testing::engine(options(1));
  Watch watch;
  StopToken stop;
  auto busy = std::async(std::launch::async, [&] { return outcome(*engine, python(kLoop), &watch, &stop); });
  ASSERT_TRUE(watch.wait_for("ready"));
  auto waiting = python("print(1)");
  waiting.deadline_seconds = 0.2;
  const auto start = Deadline::Clock::now();
  const auto refused = engine->run(waiting, nullptr, nullptr);
  EXPECT_GE(seconds_since(start), 0.2);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "at_capacity");
  EXPECT_FALSE(refused.error().hint.empty());
  stop.stop();
  EXPECT_EQ(busy.get().status, Status::cancelled);
  EXPECT_TRUE(works(*engine));
}

TEST(WasiEngine, a_run_that_waits_gets_the_worker_when_it_is_free) {
  const auto engine = testing::engine(options(1));
  Watch watch;
  auto busy = std::async(std::launch::async, [&] {
    return outcome(*engine, python("print('ready', flush=True)\nimport time\ntime.sleep(0.3)"), &watch);
  });
  ASSERT_TRUE(watch.wait_for("ready"));
  const auto second = outcome(*engine, python("print('second')"));
  EXPECT_EQ(second.out.bytes, "second\n");
  EXPECT_GT(second.usage.queue_seconds, 0.05);
  EXPECT_EQ(busy.get().status, Status::completed);
  EXPECT_EQ(engine->counts().workers_started, 1u);
}

TEST(WasiEngine, programs_that_sleep_or_loop_do_not_delay_another) {
  const auto engine = testing::engine(options(8));
  ASSERT_TRUE(engine->warm("python", 5));
  StopToken stop;
  Watch watches[4];
  std::vector<std::future<Outcome>> others;
  for (int i = 0; i < 4; ++i) {
    const auto code = i % 2 ? std::string(kLoop) : "print('ready', flush=True)\nimport time\ntime.sleep(60)";
    others.push_back(std::async(std::launch::async,
                                [&, i, code] { return outcome(*engine, python(code, 60), &watches[i], &stop); }));
  }
  for (auto& watch : watches) ASSERT_TRUE(watch.wait_for("ready"));
  const auto start = Deadline::Clock::now();
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(works(*engine));
  EXPECT_LT(seconds_since(start), 5);
  for (auto& other : others) EXPECT_EQ(other.wait_for(seconds(0)), std::future_status::timeout) << "still running";
  stop.stop();
  for (auto& other : others) EXPECT_EQ(other.get().status, Status::cancelled);
}

TEST(WasiEngine, cancelling_ends_any_program_within_a_second) {
  const auto engine = testing::engine();
  for (const std::string code :
       {kLoop, "print('ready', flush=True)\nimport time\ntime.sleep(1000)",
        "print('ready', flush=True)\nx = 7 ** 300000000",
        "print('ready', flush=True)\nwhile True:\n  try:\n    while True: pass\n  except BaseException: pass"}) {
    Watch watch;
    StopToken stop;
    auto run = std::async(std::launch::async, [&] { return outcome(*engine, python(code), &watch, &stop); });
    ASSERT_TRUE(watch.wait_for("ready"));
    const auto start = Deadline::Clock::now();
    stop.stop();
    const auto done = run.get();
    EXPECT_LT(seconds_since(start), 1) << code;
    EXPECT_EQ(done.status, Status::cancelled) << code;
    EXPECT_EQ(code_of(done), "cancelled");
    EXPECT_EQ(exit_status_of(done), 130);
    EXPECT_TRUE(works(*engine));
  }
}

TEST(WasiEngine, a_run_that_was_cancelled_before_it_began_does_not_run_on) {
  const auto engine = testing::engine();
  StopToken stop;
  stop.stop();
  const auto start = Deadline::Clock::now();
  const auto done = outcome(*engine, python(kLoop), nullptr, &stop);
  EXPECT_EQ(done.status, Status::cancelled);
  EXPECT_LT(seconds_since(start), 5);
  EXPECT_TRUE(works(*engine));
}

TEST(WasiEngine, a_timeout_ends_loops_sleeps_and_what_ignores_it) {
  const auto engine = testing::engine();
  for (const std::string code : {"while True: pass", "import time\ntime.sleep(1000)", "x = 7 ** 300000000",
                                 "while True:\n  try:\n    while True: pass\n  except BaseException: pass"}) {
    const auto start = Deadline::Clock::now();
    const auto done = outcome(*engine, python(code, 0.2));
    EXPECT_EQ(done.status, Status::timeout) << code;
    EXPECT_EQ(code_of(done), "timeout") << code;
    EXPECT_LT(seconds_since(start), 2) << code;
    EXPECT_GE(seconds_since(start), 0.2) << code;
    EXPECT_TRUE(works(*engine));
  }
}

// The clock may strike before the guest has begun: a strike that nobody waits for yet must not be lost.
TEST(WasiEngine, a_timeout_shorter_than_the_start_still_ends_the_program) {
  const auto engine = testing::engine();
  for (const double timeout : {1e-9, 1e-7, 1e-6, 3e-6, 1e-5, 3e-5, 1e-4, 3e-4}) {
    const auto done = outcome(*engine, python("while True: pass", timeout));
    EXPECT_EQ(done.status, Status::timeout) << timeout << " " << code_of(done);
    EXPECT_LT(done.usage.wall_seconds, 2) << timeout;
  }
  EXPECT_TRUE(works(*engine));
}

TEST(WasiEngine, cpu_time_is_limited_apart_from_wall_time) {
  const auto engine = testing::engine();
  auto busy = python("while True: pass");
  busy.limits.cpu_seconds = 0.2;
  const auto done = outcome(*engine, busy);
  EXPECT_EQ(done.status, Status::timeout);
  EXPECT_EQ(code_of(done), "cpu_limit");
  auto idle = python("import time\ntime.sleep(0.4)\nprint('done')");
  idle.limits.cpu_seconds = 0.3;
  EXPECT_EQ(outcome(*engine, idle).out.bytes, "done\n");
}

TEST(WasiEngine, a_worker_whose_memory_grew_is_replaced_and_the_next_run_is_fine) {
  const auto engine = testing::engine(options(1));
  ASSERT_TRUE(works(*engine));
  const auto before = descendants(getpid());
  const Held worker({before.at(1)});
  EXPECT_EQ(outcome(*engine, python("x = bytearray(150 << 20)\nprint(len(x))")).out.bytes, "157286400\n");
  EXPECT_TRUE(worker.all_gone());
  EXPECT_TRUE(works(*engine));
  EXPECT_EQ(engine->counts().workers_started, 2u);
}

TEST(WasiEngine, each_run_on_a_reused_worker_has_its_own_memory_limit) {
  const auto engine = testing::engine(options(1));
  const auto sized = [](int take_mb, std::uint64_t limit_mb) {
    auto out = python("x = bytearray(" + std::to_string(take_mb) + " << 20)\nprint('got it')");
    out.limits.memory_bytes = limit_mb << 20;
    return out;
  };
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(code_of(outcome(*engine, sized(60, 96))), "memory_limit");
    EXPECT_EQ(code_of(outcome(*engine, sized(150, 160))), "memory_limit");
    EXPECT_EQ(code_of(outcome(*engine, sized(60, 96))), "memory_limit");
    EXPECT_EQ(engine->counts().workers_started, round == 0 ? 1u : 2u) << "a refused growth leaves the worker as it is";
    EXPECT_EQ(outcome(*engine, sized(120, 256)).out.bytes, "got it\n");
  }
  const auto failed = outcome(*engine, sized(60, 96));
  EXPECT_EQ(failed.status, Status::limit_exceeded);
  ASSERT_TRUE(failed.failure);
  EXPECT_EQ(failed.failure->limit, "memory");
  EXPECT_EQ(failed.failure->name, "MemoryError");
  EXPECT_EQ(exit_status_of(failed), 137);
}

TEST(WasiEngine, a_caught_memory_error_is_the_programs_own_affair) {
  const auto engine = testing::engine();
  const auto done = outcome(*engine, python("try: bytearray(1 << 30)\nexcept MemoryError: print('caught')"));
  EXPECT_EQ(done.status, Status::completed);
  EXPECT_EQ(done.out.bytes, "caught\n");
}

TEST(WasiEngine, limits_above_the_maximum_are_refused) {
  auto with = options();
  with.max_fuel = 1000;
  const auto engine = testing::engine(with);
  const std::pair<const char*, std::optional<std::uint64_t> Limits::*> fields[] = {
      {"memory_bytes", &Limits::memory_bytes}, {"disk_bytes", &Limits::disk_bytes},
      {"output_bytes", &Limits::output_bytes}, {"result_bytes", &Limits::result_bytes},
      {"files_bytes", &Limits::files_bytes},   {"fuel", &Limits::fuel}};
  for (const auto& [name, field] : fields) {
    auto request = python("print(1)");
    request.limits.*field = 1ull << 40;
    const auto refused = engine->run(request, nullptr, nullptr);
    ASSERT_FALSE(refused) << name;
    EXPECT_EQ(refused.error().code, "limit_above_maximum") << name;
    EXPECT_NE(refused.error().message.find(name), std::string::npos) << refused.error().message;
  }
}

TEST(WasiEngine, what_it_cannot_honour_is_refused_and_named) {
  const auto engine = testing::engine();
  using Change = void (*)(Request&);
  const std::pair<const char*, Change> table[] = {
      {"argv", [](Request& r) { r.code.reset(), r.argv = {"ls"}; }},
      {"session_id", [](Request& r) { r.session_id = "s"; }},
      {"network", [](Request& r) { r.network.mode = NetworkMode::open; }},
      {"network", [](Request& r) { r.network = {NetworkMode::allowlist, {"a:1"}}; }},
      {"dependencies", [](Request& r) { r.dependencies.packages = {"numpy"}; }},
      {"image", [](Request& r) { r.image = "debian"; }},
      {"limits.cpus", [](Request& r) { r.limits.cpus = 2; }},
      {"limits.pids", [](Request& r) { r.limits.pids = 2; }},
      {"inputs", [](Request& r) { r.inputs.emplace_back(); }},
      {"mode", [](Request& r) { r.mode = Mode::cell; }},
      {"cwd", [](Request& r) { r.cwd = "/tmp"; }},
      {"files", [](Request& r) { r.files.push_back({"a", "", std::string(64, 'a'), {}, false}); }},
  };
  for (const auto& [field, change] : table) {
    auto request = python("print(1)");
    change(request);
    const auto refused = engine->run(request, nullptr, nullptr);
    ASSERT_FALSE(refused) << field;
    EXPECT_EQ(refused.error().code, "unsupported_by_engine") << field;
    EXPECT_NE(refused.error().message.find('"' + std::string(field) + '"'), std::string::npos)
        << refused.error().message;
  }
  EXPECT_TRUE(works(*engine));
}

TEST(WasiEngine, a_request_without_a_program_or_with_an_impossible_time_is_refused) {
  const auto engine = testing::engine();
  using Change = void (*)(Request&);
  const Change changes[] = {
      [](Request& r) { r.code.reset(); },
      [](Request& r) { r.code.reset(), r.language = Language::wasm; },
      [](Request& r) { r.timeout_seconds = 0; },
      [](Request& r) { r.timeout_seconds = -1; },
      [](Request& r) { r.timeout_seconds = 1e300; },
      [](Request& r) { r.timeout_seconds = std::numeric_limits<double>::quiet_NaN(); },
      [](Request& r) { r.limits.cpu_seconds = -1; },
      [](Request& r) { r.limits.cpu_seconds = 1e300; },
  };
  for (const auto change : changes) {
    auto request = python("print(1)");
    change(request);
    const auto refused = engine->run(request, nullptr, nullptr);
    ASSERT_FALSE(refused) << "number " << &change - changes;
    EXPECT_EQ(refused.error().code, "invalid_field");
  }
}

TEST(WasiEngine, a_language_without_an_image_says_so) {
  const auto engine = testing::engine();
  auto request = python("1");
  request.language = Language::bash;
  const auto done = engine->run(request, nullptr, nullptr);
  ASSERT_TRUE(done) << done.error().message;
  if (std::filesystem::exists(options().images / "bash")) {
    EXPECT_NE(code_of(*done), "engine_unavailable");
  } else {
    EXPECT_EQ(done->status, Status::rejected);
    EXPECT_EQ(code_of(*done), "engine_unavailable");
  }
}

TEST(WasiEngine, missing_images_and_workers_are_errors_that_say_what_to_do) {
  auto with = options();
  with.images = "/nonexistent";
  const auto engine = testing::engine(with);
  const auto done = engine->run(python("1"), nullptr, nullptr);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, "image_missing");
  EXPECT_FALSE(done.error().hint.empty());

  with.worker = "/nonexistent";
  const auto none = WasiEngine::create(with);
  ASSERT_FALSE(none);
  EXPECT_FALSE(none.error().hint.empty());

  with.worker = "/bin/true";  // starts, and does not answer
  const auto mute = WasiEngine::create(with);
  ASSERT_TRUE(mute);
  const auto refused = (*mute)->run(python("1"), nullptr, nullptr);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "internal");
}

TEST(WasiEngine, files_that_cannot_be_given_are_the_requests_fault_not_a_sandbox_failure) {
  const auto engine = testing::engine();
  for (const std::string& path : {std::string("main.py"), std::string("../x"), std::string("a/../../x"),
                                  std::string("/"), std::string(), std::string("a\0b", 3)}) {
    auto request = python("print(1)");
    request.files.push_back({path, "x", {}, {}, false});
    const auto done = engine->run(request, nullptr, nullptr);
    if (!done) {
      EXPECT_EQ(done.error().code, "invalid_field") << path;
    } else {
      EXPECT_EQ(done->status, Status::rejected)
          << '"' << path << "\" " << name_of(done->status) << " " << code_of(*done);
    }
  }
  EXPECT_TRUE(works(*engine));
}

TEST(WasiEngine, streamed_output_is_the_kept_output) {
  const auto engine = testing::engine();
  Watch watch;
  const auto done = outcome(*engine, python("for i in range(1000): print(i, 'é' * 10)"), &watch);
  EXPECT_EQ(watch.text, done.out.bytes);
  EXPECT_EQ(done.out.total, watch.text.size());
}

TEST(WasiEngine, a_flood_of_output_is_kept_in_part_and_counted_in_full) {
  const auto engine = testing::engine();
  auto request = python("import sys\nfor i in range(200): sys.stdout.write('x' * 100000)\nprint('the end')");
  request.limits.output_bytes = 10000;
  Watch watch;
  const auto done = outcome(*engine, request, &watch);
  EXPECT_TRUE(done.out.truncated);
  EXPECT_EQ(done.out.total, 200u * 100000 + 8);
  EXPECT_LE(done.out.bytes.size(), 10200u);
  EXPECT_TRUE(done.out.bytes.ends_with("the end\n"));
  EXPECT_LE(watch.text.size(), 10000u);
}

TEST(WasiEngine, many_threads_run_at_once_and_each_gets_its_own_answer) {
  const auto engine = testing::engine(options(4));
  std::atomic<int> right = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 20; ++i) {
        const auto text = std::to_string(t * 1000 + i);
        if (outcome(*engine, python("print(" + text + ")")).out.bytes == text + "\n") ++right;
      }
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(right, 160);
  EXPECT_LE(engine->counts().workers_started, 4u);
}

// Input that is read while the program runs comes over the same channel as the order did: it must not overwrite it.
TEST(WasiEngine, reading_input_while_running_leaves_the_given_files_and_arguments_as_they_were) {
  const auto engine = testing::engine();
  struct Piped : Watch {
    int fd = -1;
    int input_fd() override { return fd; }
  } sink;
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  sink.fd = ends[0];
  ASSERT_EQ(write(ends[1], "one\ntwo\n", 8), 8);
  close(ends[1]);
  for (const std::size_t size : {100u, 5000u, 3'000'000u}) {
    auto request = python(
        "import sys, os\nprint(sys.stdin.read().split())\ndata = open('/workspace/data').read()\n"
        "print(len(data), set(data), open('/workspace/main.py').read()[:10], sys.argv, os.environ.get('K'))\n");
    request.files.push_back({"data", std::string(size, 'd'), {}, {}, false});
    request.args = {"first"};
    request.env = {{"K", "V"}};
    const auto done = outcome(*engine, request, &sink);
    EXPECT_TRUE(done.out.bytes.ends_with("]\n" + std::to_string(size) + " {'d'} import sys ['main.py', 'first'] V\n"))
        << size << ": " << done.out.bytes.substr(0, 300) << done.err.bytes.substr(0, 500);
  }
  close(ends[0]);
}

constexpr const char* kWorld = R"(
import random, time, uuid, os, secrets, datetime
print(random.random(), uuid.uuid4(), secrets.token_hex(), os.urandom(8).hex())
print(time.time(), time.monotonic(), time.perf_counter_ns(), time.process_time(), datetime.datetime.now())
print(id(object()), hash('text'), hash(b'x'), set('abcdefgh'), {str(i) for i in range(20)})
time.sleep(3600)
print(time.time(), object())
)";

Outcome seeded(WasiEngine& engine, std::uint64_t seed) {
  auto request = python(kWorld, 7200);
  request.deterministic.emplace().seed = seed;
  return outcome(engine, request);
}

TEST(WasiDeterministic, the_same_seed_gives_the_same_bytes_in_any_worker) {
  const auto one = testing::engine(), two = testing::engine();
  const auto first = seeded(*one, 7);
  ASSERT_EQ(first.status, Status::completed) << first.err.bytes;
  ASSERT_GT(first.out.bytes.size(), 200u);
  EXPECT_EQ(seeded(*one, 7).out.bytes, first.out.bytes);
  EXPECT_EQ(outcome(*one, python("import random, json\nrandom.seed(3)\nx = [0] * 99999")).status, Status::completed);
  EXPECT_EQ(seeded(*one, 7).out.bytes, first.out.bytes);
  EXPECT_EQ(seeded(*two, 7).out.bytes, first.out.bytes);
}

TEST(WasiDeterministic, another_seed_gives_other_numbers) {
  const auto engine = testing::engine();
  EXPECT_NE(seeded(*engine, 7).out.bytes, seeded(*engine, 8).out.bytes);
}

TEST(WasiDeterministic, without_a_seed_randomness_differs_from_run_to_run) {
  const auto engine = testing::engine();
  for (const std::string what :
       {"import random\nprint(random.random())", "import uuid\nprint(uuid.uuid4())", "import os\nprint(os.urandom(8))",
        "import secrets\nprint(secrets.token_hex())", "import random\nrandom.seed()\nprint(random.getrandbits(64))"})
    EXPECT_NE(outcome(*engine, python(what)).out.bytes, outcome(*engine, python(what)).out.bytes) << what;
}

TEST(WasiDeterministic, the_clock_starts_where_the_request_says) {
  const auto engine = testing::engine();
  auto request = python("import time\nprint(int(time.time()))");
  request.deterministic.emplace().time = 1234567890;
  EXPECT_EQ(outcome(*engine, request).out.bytes, "1234567890\n");
}

TEST(WasiDeterministic, fuel_is_counted_exactly_and_ends_the_program) {
  const auto engine = testing::engine();
  auto request = python("sum(range(10000))");
  request.deterministic.emplace().seed = 1;
  request.limits.fuel = 10'000'000'000;
  const auto once = outcome(*engine, request), twice = outcome(*engine, request);
  ASSERT_TRUE(once.usage.fuel && twice.usage.fuel);
  EXPECT_GT(*once.usage.fuel, 10000u);
  EXPECT_EQ(*once.usage.fuel, *twice.usage.fuel);
  request.code = "while True: pass";
  const auto out = outcome(*engine, request);
  EXPECT_EQ(out.status, Status::limit_exceeded);
  EXPECT_EQ(code_of(out), "fuel_limit");
}

}  // namespace
}  // namespace hotcell::wasi
