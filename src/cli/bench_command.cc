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
#include "cli/bench_figures.h"
#include "cli/bench_url.h"
#include "cli/commands.h"
#include "cli/packages.h"
#include "cli/program.h"
#include "cli/terminal.h"
#include "protocol/result_json.h"

extern char** environ;

namespace hotcell::cli {
namespace {

using namespace protocol;
using Clock = std::chrono::steady_clock;

struct BenchFlags : ProgramFlags {
  UrlBench service;
  unsigned runs = 1000, clients = 1, warmup = 20, loops = 0, sleepers = 0, baseline_runs = 60;
  double pace = 0;  // runs a second; 0: as fast as it goes
  std::string reuse;
  std::string baseline, expect, command, before;
  bool has_expect = false;
};

struct Sample {
  double micros = 0;
  bool right = false;
};

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

// Runs a program as the executor does: with the packages that it names, looked up for each run.
class Packages {
 public:
  explicit Packages(const Settings& settings) : packages_(settings) {}

  Expected<Outcome> run(Engine& engine, const Request& request) {
    if (!wanted_by(request)) return engine.run(request, nullptr, nullptr);
    auto requirements = deps::parse_requirements(
        request.language == Language::javascript ? deps::Ecosystem::npm : deps::Ecosystem::pypi,
        request.dependencies.packages);
    if (!requirements) return std::unexpected(requirements.error());
    const auto choice = engine.name() == "wasi" ? exec::EngineChoice::wasi : exec::EngineChoice::docker;
    auto lease = exec::get_packages(packages_.source(), choice, request.language, std::move(*requirements),
                                    Deadline::after_seconds(300));
    if (!lease) return std::unexpected(lease.error());
    auto with = request;
    with.packages = exec::as_ready(*lease);
    return engine.run(with, nullptr, nullptr);
  }
  static bool wanted_by(const Request& request) { return request.dependencies.mode == DependencyMode::explicit_list; }
  Expected<std::filesystem::path> folder() {
    auto cache = packages_.cache();
    return cache ? Expected<std::filesystem::path>((*cache)->mount("")) : std::unexpected(cache.error());
  }

 private:
  LocalPackages packages_;
};

// One of the two engines, as far as it is looked at here.
class Measured {
 public:
  static Expected<Measured> open(const Request& request, const BenchFlags& flags, Settings settings) {
    Measured out;
    if (request.engine == EngineWish::docker) {
      if (flags.reuse == "tenant") settings.docker.reuse = docker::Reuse::tenant;
      auto made = docker::DockerEngine::create(settings.docker);
      if (!made) return std::unexpected(made.error());
      out.docker_ = std::move(*made);
      return out;
    }
    auto made = wasi::WasiEngine::create(settings.wasi);
    if (!made) return std::unexpected(made.error());
    out.wasi_ = std::move(*made);
    return out;
  }

  Engine& engine() { return docker_ ? static_cast<Engine&>(*docker_) : *wasi_; }
  // So many cells that are ready.
  Expected<void> warm(const Request& request, unsigned cells) {
    if (docker_) return docker_->warm(request, cells, docker::api::Until::seconds(120));
    return request.language == Language::python ? wasi_->warm("python", cells) : Expected<void>{};
  }
  unsigned busy() const { return docker_ ? docker_->counts().busy : wasi_->counts().busy; }
  std::optional<std::uint64_t> idle_cell_bytes() const {
    return docker_ ? docker_->idle_cell_bytes() : wasi_->idle_cell_bytes();
  }
  // How often a container cell was ready when it was asked for.
  std::optional<std::uint64_t> missed() const {
    return docker_ ? std::optional(docker_->counts().missed) : std::nullopt;
  }

 private:
  std::unique_ptr<docker::DockerEngine> docker_;
  std::unique_ptr<wasi::WasiEngine> wasi_;
};

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
  std::optional<Measured> measured;
  Packages packages(settings);
  std::optional<Request> plain;  // the same without packages, run by turns: the difference is what they cost
  if (request) {
    auto with = settings;
    if (Packages::wanted_by(*request)) {
      auto folder = packages.folder();
      if (!folder) return complain(folder.error());
      with.docker.packages = *folder;
      plain = *request;
      plain->dependencies = {};
    }
    auto opened = Measured::open(*request, flags, std::move(with));
    if (!opened) return complain(opened.error());
    measured = std::move(*opened);
  }
  const auto one = [&](std::string* out, bool without = false) -> Sample {
    const auto start = Clock::now();
    if (!request) {
      auto ran = run_command(flags.command);
      if (out) *out = ran.out;
      return {ran.micros, out || (WIFEXITED(ran.status) && ran.out == flags.expect)};
    }
    auto outcome = packages.run(measured->engine(), without ? *plain : *request);
    const double micros = micros_since(start);
    if (!outcome) {
      if (out) *out = outcome.error().message;
      return {micros, false};
    }
    if (out) {
      *out = outcome->failure && outcome->out.bytes.empty() ? outcome->failure->message : outcome->out.bytes;
      return {micros, outcome->status != Status::sandbox_error && outcome->status != Status::rejected};
    }
    return {micros, outcome->out.bytes == flags.expect && outcome->status != Status::sandbox_error};
  };

  if (!flags.has_expect) {  // what is right: the baseline's word, else our own first answer
    std::string first;
    if (!flags.baseline.empty())
      first = run_command(flags.baseline).out;
    else if (!one(&first).right)
      return complain({"bench_failed", "the program does not run: " + first, "try it with hotcell run first"});
    flags.expect = first;
  }
  std::optional<Company> company;
  if (measured) {
    if (auto warm = measured->warm(*request, flags.clients); !warm) return complain(warm.error());
    company.emplace(measured->engine(), flags.loops, flags.sleepers);
    if (flags.loops + flags.sleepers)  // until all of them have a worker
      for (int i = 0; i < 2000 && measured->busy() < flags.loops + flags.sleepers; ++i)
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  for (unsigned i = 0; i < flags.warmup; ++i) one(nullptr);
  if (measured && flags.pace > 0)  // the warm-up took the cells that were ready
    if (auto warm = measured->warm(*request, flags.clients); !warm) return complain(warm.error());
  const auto missed_before = measured ? measured->missed().value_or(0) : 0;
  std::optional<Request> before;  // what each counted run must not suffer from
  if (request && !flags.before.empty()) {
    before = *request;
    before->code = flags.before;
  }

  // Turns: a block of runs by all clients, then a block of baselines.
  const unsigned blocks = flags.baseline.empty() ? 1 : std::clamp(flags.runs / 4, 1u, 15u);
  std::vector<double> micros, base, without;
  std::atomic<unsigned> errors{0};
  double busy_seconds = 0;
  for (unsigned block = 0; block < blocks; ++block) {
    // Where two kinds of runs are compared, they take turns.
    const unsigned count = (plain ? 2 : 1) * (flags.runs * (block + 1) / blocks - flags.runs * block / blocks);
    std::atomic<unsigned> taken{0};
    std::vector<std::vector<double>> each(flags.clients), each_plain(flags.clients);
    const auto start = Clock::now();
    const auto client = [&](unsigned index) {
      for (unsigned number; (number = taken.fetch_add(1)) < count;) {
        // At a pace, a run that begins late because the one before took long is late by its own time as well.
        const auto due = start + std::chrono::duration_cast<Clock::duration>(
                                     std::chrono::duration<double>(flags.pace > 0 ? number / flags.pace : 0));
        if (flags.pace > 0) std::this_thread::sleep_until(due);
        if (before) (void)measured->engine().run(*before, nullptr, nullptr);
        const double late = flags.pace > 0 ? std::max(0.0, micros_since(due)) : 0;
        const bool without_packages = plain && number % 2 == 1;
        auto sample = one(nullptr, without_packages);
        sample.micros += late;
        if (sample.right)
          (without_packages ? each_plain : each)[index].push_back(sample.micros);
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
    for (const auto& list : each_plain) without.insert(without.end(), list.begin(), list.end());
    if (flags.baseline.empty()) continue;
    const unsigned baselines = flags.baseline_runs * (block + 1) / blocks - flags.baseline_runs * block / blocks;
    // At a pace, new cells are made after the last run, and the baseline is not to suffer from that.
    const auto rest = std::chrono::milliseconds(flags.pace > 0 && measured ? 500 : 0);
    std::this_thread::sleep_for(rest);
    for (unsigned i = 0; i < baselines; ++i) {
      const auto ran = run_command(flags.baseline);
      if (ran.out != flags.expect) return complain({"bench_failed", "the baseline's output is not as expected", {}});
      base.push_back(ran.micros);
    }
    std::this_thread::sleep_for(rest);  // nor the runs from what the baseline left to do
  }
  company.reset();
  if (measured && request->engine == EngineWish::docker) (void)measured->warm(*request, 1);
  const auto idle = measured ? measured->idle_cell_bytes() : std::nullopt;

  nlohmann::ordered_json out{{"runs", micros.size()}, {"errors", errors.load()}, {"clients", flags.clients}};
  out.update(figures(micros));
  out["runs_per_second"] = std::round(static_cast<double>(micros.size()) / busy_seconds * 10) / 10;
  if (idle) out["idle_cell_bytes"] = *idle;
  if (const auto missed = measured ? measured->missed() : std::nullopt) out["not_ready"] = *missed - missed_before;
  if (!without.empty()) {
    out["without_packages"] = figures(without);
    out["packages_p50_us"] = std::round((percentile(micros, .5) - percentile(without, .5)) * 10) / 10;
  }
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
    if (!without.empty())
      std::printf("without packages: p50 %.1f us; they cost %.1f us\n", percentile(without, .5),
                  out["packages_p50_us"].get<double>());
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
  command->add_option("--before", flags->before, "a program to run, uncounted, before each counted run")
      ->type_name("CODE");
  command->add_option("--baseline-runs", flags->baseline_runs, "how many of those")->check(CLI::Range(1, 100'000));
  command->add_option("--command", flags->command, "measure a shell command instead of a program")
      ->type_name("COMMAND");
  auto* expect = command->add_option("--expect", flags->expect, "the output that counts as right; else the baseline's");
  command->add_option("--pace", flags->pace, "begin so many runs a second, instead of each after the one before")
      ->type_name("RUNS");
  command
      ->add_option("--dep", flags->packages,
                   "a package of the cache that the runs are given; every other run has none, to tell what that costs")
      ->type_name("REQUIREMENT")
      ->allow_extra_args(false);
  command->add_option("--reuse", flags->reuse, "docker.reuse for these runs: never or tenant")
      ->check(CLI::IsMember({"never", "tenant"}));
  command->add_option("--beside-loops", flags->loops, "endless loops running meanwhile");
  command->add_option("--beside-sleepers", flags->sleepers, "sleeping programs meanwhile");
  command->add_option("--url", flags->service.url, "measure the service that listens there: unix:PATH, http://IP:PORT")
      ->type_name("URL");
  command->add_option("--seconds", flags->service.seconds, "with --url: for so long, instead of so many runs");
  command->add_option("--batch", flags->service.batch, "with --url: so many programs in each request")
      ->check(CLI::Range(1, 10'000));
  command->add_option("--idle", flags->service.idle, "with --url: connections beside that do nothing")
      ->check(CLI::Range(1, 100'000));
  add_limit_flags(*command, *flags);
  add_container_flags(*command, *flags);
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
        if (made->engine == EngineWish::any && !module && made->language != Language::python)
          made->engine = EngineWish::docker;
        request = std::move(*made);
      }
      if (auto& service = flags->service; !service.url.empty() && request) {
        service.runs = flags->runs, service.clients = flags->clients, service.warmup = flags->warmup;
        service.pace = flags->pace;
        service.expect = flags->expect, service.has_expect = flags->has_expect, service.json = flags->json;
        return bench_url(service, *request);
      }
      return bench(*flags, *settings, request);
    };
  });
}

}  // namespace hotcell::cli
