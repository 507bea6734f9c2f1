#include "server/execution.h"

#include <algorithm>
#include <utility>

#include "base/hash.h"
#include "protocol/events.h"
#include "protocol/json_reader.h"
#include "protocol/percent.h"
#include "protocol/result_json.h"
#include "protocol/utf8.h"

namespace hotcell::server {

using namespace protocol;

namespace {

constexpr std::size_t kPiece = 32u << 10;  // of output, in one event

// The program's output, as events while it is written.
class EventSink final : public OutputSink {
 public:
  EventSink(EventLog& log, bool base64, EventLog::Clock::time_point patience)
      : log_(log), base64_(base64), patience_(patience) {}

  void output(Stream stream, std::span<const char> bytes) override {
    const std::string_view all(bytes.data(), bytes.size());
    for (std::size_t at = 0; at < all.size(); at += kPiece) {
      const auto piece = all.substr(at, kPiece);
      put(stream, base64_ ? std::string(piece) : splitter(stream).push(piece));
    }
  }

  void started(std::string_view engine, std::string_view start) override {
    if (!std::exchange(started_, true)) log_.add(event::Started{std::string(engine), std::string(start)});
  }

  // What is left of characters that were never completed.
  void finish() {
    for (const auto stream : {Stream::out, Stream::err}) put(stream, splitter(stream).finish());
  }

 private:
  void put(Stream stream, std::string bytes) {
    if (!bytes.empty()) log_.add_output({stream, std::move(bytes), base64_}, patience_);
  }
  Utf8Splitter& splitter(Stream stream) { return splitters_[stream == Stream::out ? 0 : 1]; }

  EventLog& log_;
  const bool base64_;
  const EventLog::Clock::time_point patience_;
  Utf8Splitter splitters_[2];
  bool started_ = false;
};

}  // namespace

Execution::Execution(std::shared_ptr<Tenant> tenant_of, Order order, Backend& backend, Records& records)
    : Job(std::move(tenant_of)),
      order_(std::move(order)),
      backend_(backend),
      records_(records),
      inline_bytes_(order_.request.collect.inline_bytes),
      stop_(std::make_unique<StopToken>()) {
  memory_bytes = order_.request.limits.memory_bytes.value_or(0);
}

void Execution::run() {
  const auto begun = Clock::now();
  queue_seconds_ = std::chrono::duration<double>(begun - admitted_).count();
  if (stop_->stopped()) return finish(cancelled());
  auto& request = order_.request;
  // What is left of the deadline is all that it has, for everything that is still to be done.
  const double left = std::chrono::duration<double>(deadline - begun).count();
  if (request.deadline_seconds) {
    request.deadline_seconds = std::max(left, 1e-6);
    request.timeout_seconds = std::min(request.timeout_seconds, *request.deadline_seconds);
  }
  // Files beyond what the caller wants inside the result are kept here, to be fetched.
  if (records_.has_place_for(1)) request.collect.inline_bytes = UINT64_MAX;

  order_.record->running();
  const auto& log = order_.record->log();
  std::optional<EventSink> sink;
  if (log) {
    log->add(event::Setup{event::Phase::start, {}});
    const auto patience = std::chrono::nanoseconds(static_cast<long long>(request.timeout_seconds * 1e9));
    sink.emplace(*log, order_.base64_events, begun + patience);
  }
  auto ran = backend_.run(request, sink ? &*sink : nullptr, stop_.get());
  if (sink) sink->finish();
  if (ran) {
    if (sink) sink->started(ran->outcome.engine.name, ran->outcome.engine.start);
    return finish(std::move(*ran));
  }
  auto problem = problem_from(ran.error());
  if (problem.code == "at_capacity" && Clock::now() >= deadline)
    problem = make_problem("deadline_in_queue", problem.detail, problem.hint);
  finish(std::move(problem));
}

void Execution::give_up(const Problem& why) { finish(why); }

void Execution::cancel(bool withdrawn) {
  {
    const std::lock_guard lock(mutex_);
    if (over_) return;
    stop_->stop();
  }
  if (const auto& log = order_.record->log()) log->let_go();
  if (withdrawn) finish(cancelled());
}

Result Execution::cancelled() const {
  Result result;
  result.created_at = result.finished_at = std::chrono::system_clock::now();
  result.metadata = order_.request.metadata;
  result.outcome.status = Status::cancelled;
  auto& failure = result.outcome.failure.emplace();
  failure.code = failure.kind = "cancelled";
  failure.message = "the run was cancelled before the program started";
  return result;
}

// Takes out of the result what is too large to stand in it, and keeps every file for those who ask for it by its URL.
Record::Ending Execution::keep_files(Result& result) const {
  Record::Ending ending;
  std::size_t total = 0;
  for (const auto& file : result.outcome.files) total += file.content.size();
  const bool keep = records_.has_place_for(total);
  for (auto& file : result.outcome.files) {
    if (file.change == Change::deleted || file.content_left_out) continue;
    const bool too_large = file.content.size() > inline_bytes_;
    if (too_large) file.sha256 = hex(sha256(file.content));
    if (keep) {
      file.url = "/v1/executions/" + order_.record->id() + "/files/" + percent_encoded_path(file.path);
      ending.files.push_back({file.path, too_large ? std::exchange(file.content, {}) : file.content});
    }
    if (!too_large) continue;
    file.content.clear();
    file.content_left_out = true;
  }
  return ending;
}

void Execution::finish(Result result) {
  result.id = order_.record->id();
  result.created_at = order_.record->created_at();
  result.outcome.usage.queue_seconds += queue_seconds_;
  auto ending = keep_files(result);
  ending.status = result.outcome.status;
  ending.body = std::make_shared<const std::string>(dump(to_json(result)));
  conclude(std::move(ending), &result);
}

void Execution::finish(Problem problem) {
  Record::Ending ending;
  ending.problem = std::move(problem);
  conclude(std::move(ending), nullptr);
}

void Execution::conclude(Record::Ending ending, const Result* result) {
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(over_, true)) return;
  }
  const auto record = order_.record;
  order_.request = {};  // large, and of no more use
  const auto problem = ending.problem;
  record->ended(std::move(ending));  // before anybody can hear of the end
  if (const auto& log = record->log()) {
    if (result) {
      const auto& outcome = result->outcome;
      for (const auto& value : outcome.results) log->add(event::Shown{value});
      if (outcome.failure && outcome.status != Status::completed) log->add(event::Failed{*outcome.failure});
      if (!outcome.files.empty()) log->add(event::Files{outcome.files});
      log->add(event::End{*result});
    } else {
      log->add(event::End{*problem});
    }
  }
  records_.ended(record);
  if (const auto told = std::exchange(order_.ended, nullptr)) told(*record, *record->ending(), result);
  const std::lock_guard lock(mutex_);
  stop_.reset();
}

}  // namespace hotcell::server
