// hotcell bench: how long a program takes here, as a ratio to a baseline measured in the same run.
//
// Absolute times mean little on a shared machine, so runs and baseline take turns in short blocks, and the ratio of
// their medians is what counts. Only runs whose output was right are counted, and each includes its full reset: a
// worker answers after it has cleaned up.
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/deadline.h"
#include "cli/commands.h"
#include "cli/program.h"
#include "cli/terminal.h"
#include "protocol/result_json.h"

extern char** environ;

namespace hotcell::cli {
namespace {

using namespace protocol;
using Clock = std::chrono::steady_clock;

struct BenchFlags : ProgramFlags {
  unsigned runs = 1000, clients = 1, warmup = 20, loops = 0, sleepers = 0, baseline_runs = 60;
  std::string baseline, expect, command;
  bool has_expect = false;
};

struct Sample {
  double micros = 0;
  bool right = false;
};

double micros_since(Clock::time_point start) {
  return std::chrono::duration<double, std::micro>(Clock::now() - start).count();
}

// A shell command line as a whole process; its standard output.
struct Ran {
  double micros = 0;
  int status = -1;
  std::string out;
};
Ran run_command(const std::string& line) {
  Ran ran;
  int ends[2];
  if (pipe2(ends, O_CLOEXEC)) return ran;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
  // exec: what is timed is the command and the shell's short start, the same on both sides.
  const std::string script = "exec " + line;
  const char* argv[] = {"/bin/sh", "-c", script.c_str(), nullptr};
  pid_t pid = 0;
  const auto start = Clock::now();
  const int error = posix_spawn(&pid, argv[0], &actions, nullptr, const_cast<char**>(argv), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  if (!error) {
    char chunk[65536];
    for (ssize_t n; (n = read(ends[0], chunk, sizeof chunk)) > 0;)
      if (ran.out.size() < (1u << 20)) ran.out.append(chunk, static_cast<std::size_t>(n));
    waitpid(pid, &ran.status, 0);
  }
  close(ends[0]);
  ran.micros = micros_since(start);
  return ran;
}

double percentile(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[std::min(values.size() - 1, static_cast<std::size_t>(share * static_cast<double>(values.size())))];
}

nlohmann::ordered_json figures(const std::vector<double>& micros) {
  const auto round = [](double value) { return std::round(value * 10) / 10; };
  return {{"p50_us", round(percentile(micros, .5))},
          {"p95_us", round(percentile(micros, .95))},
          {"p99_us", round(percentile(micros, .99))},
          {"max_us", round(percentile(micros, 1))}};
}

// Programs that keep the machine busy, or sleep, while others are measured.
class Company {
 public:
  Company(Engine& engine, unsigned loops, unsigned sleepers) {
    const auto add = [&](const char* code) {
      threads_.emplace_back([this, &engine, code] {
        Request request;
        request.code = code;
        request.timeout_seconds = 3600;
        request.deadline_seconds = 3700;
        (void)engine.run(request, nullptr, &stop_);
      });
    };
    for (unsigned i = 0; i < loops; ++i) add("while True: pass");
    for (unsigned i = 0; i < sleepers; ++i) add("import time\ntime.sleep(3600)");
  }
  ~Company() {
    stop_.stop();
    for (auto& thread : threads_) thread.join();
  }

 private:
  StopToken stop_;
  std::vector<std::thread> threads_;
};

int bench(BenchFlags& flags, const Settings& settings, const std::optional<Request>& request) {
  std::unique_ptr<wasi::WasiEngine> engine;
  if (request) {
    auto made = wasi::WasiEngine::create(settings.wasi);
    if (!made) return complain(made.error());
    engine = std::move(*made);
  }
  const auto one = [&](std::string* out) -> Sample {
    const auto start = Clock::now();
    if (!request) {
      auto ran = run_command(flags.command);
      if (out) *out = ran.out;
      return {ran.micros, out || (WIFEXITED(ran.status) && ran.out == flags.expect)};
    }
    auto outcome = engine->run(*request, nullptr, nullptr);
    const double micros = micros_since(start);
    if (!outcome) return {micros, false};
    if (out) {
      *out = outcome->out.bytes;
      return {micros, outcome->status != Status::sandbox_error && outcome->status != Status::rejected};
    }
    return {micros, outcome->out.bytes == flags.expect && outcome->status != Status::sandbox_error};
  };

  if (!flags.has_expect) {  // what is right: the baseline's word, else our own first answer
    std::string first;
    if (!flags.baseline.empty())
      first = run_command(flags.baseline).out;
    else if (!one(&first).right)
      return complain({"bench_failed", "the program does not run", "try it with hotcell run first"});
    flags.expect = first;
  }
  std::optional<Company> company;
  if (engine) {
    if (request->language == Language::python)
      if (auto warm = engine->warm("python", flags.clients); !warm) return complain(warm.error());
    company.emplace(*engine, flags.loops, flags.sleepers);
    if (flags.loops + flags.sleepers)  // until all of them have a worker
      for (int i = 0; i < 2000 && engine->counts().busy < flags.loops + flags.sleepers; ++i)
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  for (unsigned i = 0; i < flags.warmup; ++i) one(nullptr);

  // Turns: a block of runs by all clients, then a block of baselines.
  const unsigned blocks = flags.baseline.empty() ? 1 : std::clamp(flags.runs / 4, 1u, 15u);
  std::vector<double> micros, base;
  std::atomic<unsigned> errors{0};
  double busy_seconds = 0;
  for (unsigned block = 0; block < blocks; ++block) {
    const unsigned count = flags.runs * (block + 1) / blocks - flags.runs * block / blocks;
    std::atomic<unsigned> taken{0};
    std::vector<std::vector<double>> each(flags.clients);
    const auto start = Clock::now();
    const auto client = [&](unsigned index) {
      while (taken.fetch_add(1) < count) {
        const auto sample = one(nullptr);
        if (sample.right)
          each[index].push_back(sample.micros);
        else
          ++errors;
      }
    };
    std::vector<std::thread> threads;
    for (unsigned i = 1; i < flags.clients; ++i) threads.emplace_back(client, i);
    client(0);
    for (auto& thread : threads) thread.join();
    busy_seconds += micros_since(start) / 1e6;
    for (const auto& list : each) micros.insert(micros.end(), list.begin(), list.end());
    if (flags.baseline.empty()) continue;
    const unsigned baselines = flags.baseline_runs * (block + 1) / blocks - flags.baseline_runs * block / blocks;
    for (unsigned i = 0; i < baselines; ++i) {
      const auto ran = run_command(flags.baseline);
      if (ran.out != flags.expect) return complain({"bench_failed", "the baseline's output is not as expected", {}});
      base.push_back(ran.micros);
    }
  }
  company.reset();

  nlohmann::ordered_json out{{"runs", micros.size()}, {"errors", errors.load()}, {"clients", flags.clients}};
  out.update(figures(micros));
  out["runs_per_second"] = std::round(static_cast<double>(micros.size()) / busy_seconds * 10) / 10;
  if (!base.empty()) {
    out["baseline"] = figures(base);
    out["baseline"]["runs"] = base.size();
    const auto ratio = [&](double share) { return percentile(micros, share) / percentile(base, .5); };
    out["ratio_p50"] = std::round(ratio(.5) * 1e5) / 1e5;
    out["ratio_p99"] = std::round(ratio(.99) * 1e5) / 1e5;
  }
  if (flags.json) {
    put(1, dump(out) + "\n");
  } else {
    std::printf("%zu runs, %u errors, %u clients: p50 %.1f us, p95 %.1f us, p99 %.1f us; %.0f runs/s\n", micros.size(),
                errors.load(), flags.clients, percentile(micros, .5), percentile(micros, .95), percentile(micros, .99),
                out["runs_per_second"].get<double>());
    if (!base.empty())
      std::printf("baseline %s: p50 %.1f us; ratio p50 1/%.1f\n", flags.baseline.c_str(), percentile(base, .5),
                  1 / out["ratio_p50"].get<double>());
  }
  return errors == 0 ? 0 : 1;
}

}  // namespace

void add_bench(CLI::App& app, Commands& commands) {
  auto flags = std::make_shared<BenchFlags>();
  auto* command = app.add_subcommand("bench", "Measure runs of a program against a baseline in the same run");
  command->add_option("-l,--language", flags->language, "the program's language")->type_name("LANGUAGE");
  auto* code = command->add_option("-c,--code", flags->code, "the program itself")->type_name("CODE");
  command->add_option("file", flags->file, "the program's file (.wasm and .wat too)");
  command->add_option("--runs", flags->runs, "how many runs")->check(CLI::Range(1, 10'000'000));
  command->add_option("--clients", flags->clients, "how many at once")->check(CLI::Range(1, 256));
  command->add_option("--warmup", flags->warmup, "runs before counting");
  command->add_option("--baseline", flags->baseline, "a shell command to compare with")->type_name("COMMAND");
  command->add_option("--baseline-runs", flags->baseline_runs, "how many of those")->check(CLI::Range(1, 100'000));
  command->add_option("--command", flags->command, "measure a shell command instead of a program")
      ->type_name("COMMAND");
  auto* expect = command->add_option("--expect", flags->expect, "the output that counts as right; else the baseline's");
  command->add_option("--beside-loops", flags->loops, "endless loops running meanwhile");
  command->add_option("--beside-sleepers", flags->sleepers, "sleeping programs meanwhile");
  add_limit_flags(*command, *flags);
  add_file_flags(*command, *flags);
  command->callback([&commands, flags, code, expect] {
    commands.action = [&commands, flags, code, expect]() -> int {
      flags->has_code = code->count() > 0;
      flags->has_expect = expect->count() > 0;
      auto settings = commands.settings();
      if (!settings) return complain(settings.error());
      std::optional<Request> request;
      if (flags->command.empty()) {
        if (!flags->has_code && flags->file.empty())
          return complain({"invalid_field", "there is nothing to measure", "give -c CODE or a file"});
        const bool module = flags->file.ends_with(".wasm") || flags->file.ends_with(".wat");
        auto made = module ? module_request(*flags, *settings) : program_request(*flags, *settings);
        if (!made) return complain(made.error());
        made->collect.changed = false;
        request = std::move(*made);
      }
      return bench(*flags, *settings, request);
    };
  });
}

}  // namespace hotcell::cli
