#include "exec/executor.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "exec/quick_look.h"
#include "protocol/failures.h"
#include "validate/confirm.h"

namespace hotcell::exec {

using namespace protocol;

namespace {

constexpr std::size_t kMemoEntries = 4096, kMemoBytes = 32u << 20;
// What is looked at beside a run must not hold up its result for long.
constexpr std::chrono::milliseconds kAsideTime{500};
// A program as short as this is checked sooner than another thread wakes up: so after its run, by the caller.
constexpr std::size_t kShort = 400;

bool is_text(const Request& request) { return request.code.has_value() && request.language != Language::wasm; }

bool names_packages(const Request& request) { return request.dependencies.mode == DependencyMode::explicit_list; }

// Are packages looked for in the program itself? Who names an image means what is in it.
bool may_import_packages(const Request& request, const ExecutorOptions& options) {
  return options.packages && request.dependencies.mode == DependencyMode::automatic && !request.image &&
         options.reading.packages.mode != deps::Policy::Mode::off &&
         (request.language == Language::python || request.language == Language::javascript);
}

Outcome rejected(Failure failure) {
  Outcome outcome;
  outcome.status = Status::rejected;
  outcome.failure = std::move(failure);
  return outcome;
}

// A run has shown what the checker could only suspect: whether the program is one.
void settle_syntax(const Outcome& outcome, Result& result) {
  const auto& failure = outcome.failure;
  if (failure && (failure->name == "SyntaxError" || failure->name == "IndentationError" || failure->name == "TabError"))
    return;
  std::erase_if(result.findings, [](const Finding& finding) { return finding.rule == validate::kSyntaxRule; });
  if (result.findings.empty() && result.verdict == "warned") result.verdict = "clean";
}

}  // namespace

// What must be known of a request, and when.
struct Executor::Plan {
  Questions questions;
  bool check = false;
  bool first = false;                // the answers decide whether, or where, it runs
  std::optional<deps::Needs> plain;  // a quick look sufficed
  std::optional<Digest> key;         // what the reading is remembered by; none: given files take part in it
  SharedReading known;               // it was remembered
};

Failure refusal_of(const validate::Report& report) {
  Failure failure;
  failure.code = "validation_failed";
  failure.kind = "rejected";
  failure.message = report.refusal;
  for (std::size_t i = 0; i < report.findings.size(); ++i) {
    if (!report.refuses[i]) continue;
    failure.line = report.findings[i].line;
    failure.hint = report.findings[i].suggestion;
    break;
  }
  return failure;
}

Failure refusal_of(const Error& denied) {
  Failure failure;
  failure.code = denied.code;
  failure.kind = "dependency";
  failure.message = denied.message;
  failure.hint = denied.hint;
  return failure;
}

Executor::Executor(ExecutorOptions options)
    : options_(std::move(options)),
      memo_(kMemoEntries, kMemoBytes),
      aside_(std::max(1u, std::thread::hardware_concurrency())) {}

Executor::Plan Executor::plan(const Request& request) {
  Plan plan;
  plan.check = is_text(request) && request.checks != Checks::off;
  const bool enforce = plan.check && request.checks == Checks::enforce;
  const bool named = names_packages(request);
  if (request.argv && named) {  // there is nothing to read, but something to get
    plan.questions.needs = plan.first = true;
    return plan;
  }
  if (plan.check) plan.questions.policy = enforce ? options_.policy : "warn";
  plan.questions.needs =
      is_text(request) && (request.engine == EngineWish::any || named || may_import_packages(request, options_));
  plan.first = enforce || plan.questions.needs;
  if (!plan.first && !plan.check) return plan;

  if (!named && (!plan.questions.needs || !files_matter(request))) {
    const std::string kind = std::string(name_of(request.language)) + (plan.questions.needs ? "+" : "-") +
                             (request.dependencies.mode == DependencyMode::none ? "n" : "a") + plan.questions.policy;
    plan.key = validate::CodeMemo<Reading>::key(kind, *request.code);
    plan.known = memo_.find(*plan.key);
    if (plan.known) return plan;
  }
  if (plan.questions.needs && (plan.plain = quick_look(request))) {
    plan.questions.needs = false;
    plan.first = enforce;
  }
  if (enforce) {
    plan.questions.confirm_syntax = confirmed_by_wasi();
  } else if (!plan.first) {
    plan.questions.limits.time = kAsideTime;
    plan.questions.check_time = kAsideTime;
  }
  return plan;
}

Executor::SharedReading Executor::read(const Request& request, const Plan& plan) {
  auto reading =
      plan.check || plan.questions.needs ? read_program(request, plan.questions, options_.reading) : Reading();
  if (plan.plain) reading.needs = plan.plain;
  if (plan.check) has_read_.store(true, std::memory_order_relaxed);
  const auto shared = std::make_shared<const Reading>(std::move(reading));
  // What was given up for want of time may be done another time.
  const auto& report = shared->report;
  const bool whole = !report || std::none_of(report->findings.begin(), report->findings.end(), [](const auto& finding) {
    return finding.rule == validate::kIncompleteRule;
  });
  if (plan.key && whole) memo_.put(*plan.key, shared, size_of(*shared));
  return shared;
}

validate::ConfirmSyntax Executor::confirmed_by_wasi() {
  return [this](Language language, std::string_view source) {
    if (!options_.engines.wasi.up) return validate::SyntaxVerdict();
    const auto engine = options_.open(EngineChoice::wasi);
    return engine ? validate::confirm_with(**engine)(language, source) : validate::SyntaxVerdict();
  };
}

// One program on its way through the engines: it gets its packages, and runs; and where an engine had to leave it, it
// runs again where it can.
class Executor::Life {
 public:
  Life(const ExecutorOptions& options, const Request& request, OutputSink* sink, const StopToken* stop)
      : options_(options), request_(request), sink_(sink), stop_(stop) {
    if (request.deadline_seconds) deadline_ = Deadline::after_seconds(*request.deadline_seconds);
  }

  // What no engine was given to run is a rejected outcome; an Error is an engine's, which did not admit it.
  Expected<Outcome> run(Route& route, const deps::Needs* needs) {
    if (needs && options_.packages && (names_packages(request_) || may_import_packages(request_, options_))) {
      auto all = deps::to_install(request_.language, *needs);
      if (!all) return rejected(refusal_of(all.error()));
      requirements_ = std::move(*all);
      sure_ = deps::to_install(request_.language, *needs, false).value_or(requirements_);
    }
    auto got = get_packages(route.engine);
    if (!got && got.error().code == "dependency_no_wheel" && route.engine == EngineChoice::wasi &&
        request_.engine == EngineWish::any && docker().up) {
      // It was taken for pure, and it, or something that it needs, is not.
      route.reason = got.error().message;
      route.engine = EngineChoice::docker;
      got = get_packages(route.engine);
    }
    if (!got) return stopped() ? cancelled() : rejected(refusal_of(got.error()));
    auto outcome = run_on(route.engine, request_.engine);
    if (outcome && outcome->left) outcome = run_again(route, outcome->beyond);
    if (outcome && outcome->failure && outcome->failure->hint.empty()) outcome->failure->hint = not_got_;
    return outcome;
  }

  void tell(Result& result) const {
    result.outcome.usage.install_seconds = install_seconds_;
    if (!lease_) return;
    for (const auto& package : lease_->record().lock.packages())
      result.installed.emplace_back(package.name, package.version);
    result.dependency_cache = lease_->hit ? "hit" : "miss";
  }

 private:
  Expected<void> get_packages(EngineChoice engine) {
    auto got = get(engine, requirements_);
    if (got || stopped() || sure_.size() == requirements_.size()) return got;
    // An import that nobody knows may be a module that the program makes, or a slip. Its own error says that best.
    for (const char* code : {"dependency_not_found", "dependency_no_wheel", "dependency_network", "dependency_failed"})
      if (got.error().code == code) {
        not_got_ = got.error().message;
        requirements_ = sure_;
        return get(engine, requirements_);
      }
    return got;
  }

  Expected<void> get(EngineChoice engine, const std::vector<deps::Requirement>& requirements) {
    lease_.reset();
    if (requirements.empty()) return {};
    const auto deadline = deadline_.value_or(Deadline::after_seconds(options_.packages.install_seconds)).or_stop(stop_);
    auto lease = exec::get_packages(options_.packages, engine, request_.language, requirements, deadline);
    if (!lease) return std::unexpected(lease.error());
    install_seconds_ += lease->install_seconds;
    lease_ = std::move(*lease);
    return {};
  }

  bool stopped() const { return stop_ && stop_->stopped(); }

  EngineState docker() const { return options_.engines.docker ? options_.engines.docker() : EngineState(); }

  Expected<Outcome> run_on(EngineChoice choice, EngineWish wish) {
    const auto engine = options_.open(choice);
    if (!engine) return std::unexpected(engine.error());
    if (!lease_ && wish == request_.engine) return (*engine)->run(request_, sink_, stop_);
    auto request = request_;
    request.engine = wish;
    if (lease_) request.packages = as_ready(*lease_);
    // What was spent on the way here is gone.
    if (deadline_) request.deadline_seconds = std::max(1e-6, std::chrono::duration<double>(deadline_->left()).count());
    return (*engine)->run(request, sink_, stop_);
  }

  // A WASI cell was asked for something that it has not, and nothing of the run has been shown. Docker does it, from
  // the beginning; where it cannot, so does WASI, this time to the end, whatever the program makes of what it does not
  // get.
  Expected<Outcome> run_again(Route& route, const std::string& asked) {
    const auto state = docker();
    std::string why_not = why_down(state, "Docker");
    if (state.up) {
      auto got = get_packages(EngineChoice::docker);
      auto outcome = got ? run_on(EngineChoice::docker, EngineWish::docker) : std::unexpected(got.error());
      if (outcome) {
        route.engine = EngineChoice::docker;
        route.reason = "the program asked for " + asked + ", which a WASI cell has not";
        return outcome;
      }
      why_not = outcome.error().message;
      if (got = get_packages(EngineChoice::wasi); !got)
        return stopped() ? cancelled() : rejected(refusal_of(got.error()));
    }
    auto outcome = run_on(EngineChoice::wasi, EngineWish::wasi);
    if (!outcome) return outcome;
    route.reason = "a WASI cell has no " + asked + ", and " + why_not;
    if (outcome->failure && outcome->failure->hint.empty()) outcome->failure->hint = route.reason;
    return outcome;
  }

  const ExecutorOptions& options_;
  const Request& request_;
  OutputSink* const sink_;
  const StopToken* const stop_;
  std::optional<Deadline> deadline_;                    // of everything
  std::vector<deps::Requirement> requirements_, sure_;  // sure: without what is only guessed
  std::string not_got_;                                 // why the guesses were given up
  std::optional<deps::Lease> lease_;                    // for as long as the program runs
  double install_seconds_ = 0;
};

Expected<Result> Executor::run(const Request& request, OutputSink* sink, const StopToken* stop) {
  Result result;
  result.id = new_execution_id();
  result.created_at = std::chrono::system_clock::now();
  result.metadata = request.metadata;
  const auto plan = this->plan(request);
  auto reading = plan.known;
  SharedReading beside;
  Aside::Task checking;
  const auto check = [&] { beside = read(request, plan); };
  const bool later = !reading && plan.check && !plan.first;
  // The first check of all reads the rules too.
  const bool at_the_end = later && request.code->size() <= kShort && has_read_.load(std::memory_order_relaxed);
  if (later && !at_the_end)
    checking = aside_.start(check);
  else if (!reading && !later && (plan.first || plan.plain))
    reading = read(request, plan);

  auto& outcome = result.outcome;
  if (reading && reading->report && reading->report->verdict == "refused") {
    outcome = rejected(refusal_of(*reading->report));
  } else if (reading && reading->denied) {
    // What the request itself names wrongly is the caller's mistake, not the program's fate.
    if (reading->denied->code == "invalid_requirement" && request.dependencies.mode == DependencyMode::explicit_list)
      return std::unexpected(*reading->denied);
    outcome = rejected(refusal_of(*reading->denied));
  } else {
    const auto& needs = reading ? reading->needs : plan.plain;
    auto route = choose_engine(request, needs ? &*needs : nullptr, options_.engines);
    if (route.failure) {
      outcome = rejected(std::move(*route.failure));
    } else {
      Life life(options_, request, sink, stop);
      auto ran = life.run(route, needs ? &*needs : nullptr);
      if (!ran) return std::unexpected(std::move(ran.error()));
      outcome = std::move(*ran);
      life.tell(result);
    }
    outcome.engine.chosen_because = std::move(route.reason);
  }
  checking.wait();
  if (at_the_end) check();
  if (!reading) reading = std::move(beside);
  if (reading && reading->report) {
    result.verdict = reading->report->verdict;
    result.findings = reading->report->findings;
    if (request.language == Language::python && outcome.status != Status::rejected) settle_syntax(outcome, result);
  }
  result.finished_at = std::chrono::system_clock::now();
  return result;
}

}  // namespace hotcell::exec
