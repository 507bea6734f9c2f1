#include "server/batch.h"

#include <algorithm>

#include "protocol/json_reader.h"
#include "protocol/problem.h"
#include "server/event_stream.h"

namespace hotcell::server {

using namespace protocol;

namespace {

constexpr std::size_t kMostUnread = 8u << 20;   // bytes of answers that wait for the client
constexpr std::size_t kMostWhole = 256u << 20;  // of answers that are sent as one document
constexpr unsigned kAhead = 64;                 // answers that may wait for a slow one before them

std::string problem_line(std::size_t index, const Problem& problem) {
  return "{\"index\":" + std::to_string(index) + ",\"problem\":" + dump(to_json(problem)) + "}\n";
}

std::string_view without_newlines(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
  return text;
}

}  // namespace

// One item, on its way through the queue.
class Batch::Part final : public Job {
 public:
  Part(std::shared_ptr<Batch> batch, std::size_t index) : Job(batch->tenant), batch_(std::move(batch)), index_(index) {
    memory_bytes = batch_->items_->memory_bytes(index);
  }

  void run() override {
    auto request = batch_->items_->take(index_);
    if (!request) return give_up(request.error());
    auto& launcher = batch_->launcher_;
    if (const auto problem = launcher.check(*request, *tenant)) return give_up(*problem);
    Launch launch;
    launch.request = std::move(*request);
    launch.tenant = tenant;
    launch.asker = batch_->asker_;
    launch.ended = [batch = batch_, index = index_](const Record&, const Record::Ending& ending, const Result* result) {
      batch->part_ended(index, ending, result);
    };
    std::shared_ptr<Record> record;
    const auto execution = launcher.prepare(std::move(launch), record);
    {
      const std::lock_guard lock(batch_->mutex_);
      batch_->running_.push_back(record);
    }
    execution->run();
    const std::lock_guard lock(batch_->mutex_);
    std::erase(batch_->running_, record);
  }

  void give_up(const Problem& why) override {
    Record::Ending ending;
    ending.problem = why;
    batch_->part_ended(index_, ending, nullptr);
  }

 private:
  const std::shared_ptr<Batch> batch_;
  const std::size_t index_;
};

Batch::Batch(std::shared_ptr<Tenant> tenant_of, std::unique_ptr<BatchItems> items, unsigned concurrency,
             Launcher& launcher, const std::shared_ptr<http::Exchange>& exchange)
    : Job(std::move(tenant_of)),
      launcher_(launcher),
      exchange_(exchange),
      asker_(asker_of(*exchange)),
      items_(std::move(items)),
      count_(items_->count()),
      concurrency_(std::max(1u, concurrency)) {
  cost = static_cast<double>(count_);
}

bool Batch::must_pause() const {
  if (in_flight_ >= concurrency_) return true;
  if (awaited_) return false;
  return next_ - given_ >= concurrency_ + kAhead || bytes_ >= kMostUnread;
}

std::shared_ptr<Job> Batch::next_of_series() {
  const std::lock_guard lock(mutex_);
  parked_ = has_next() && must_pause();
  if (!has_next() || parked_) return nullptr;
  const auto index = next_++;
  lines_.emplace_back();
  ++in_flight_;
  return std::make_shared<Part>(shared_from_this(), index);
}

void Batch::settle(std::size_t index, std::string line) {
  bytes_ += line.size();
  lines_[index - given_] = std::move(line);
}

std::string Batch::line_of(std::size_t index, const Record::Ending& ending, const Result* result) const {
  if (ending.problem) return problem_line(index, *ending.problem);
  std::string line = "{\"index\":" + std::to_string(index);
  if (const auto* expected = items_->expected_stdout(index); expected && result) {
    const auto& outcome = result->outcome;
    const bool matched = outcome.status == Status::completed && !outcome.out.truncated &&
                         without_newlines(outcome.out.bytes) == without_newlines(*expected);
    line += matched ? ",\"matched\":true" : ",\"matched\":false";
  }
  line.reserve(line.size() + ending.body->size() + 16);
  line += ",\"result\":";
  line += *ending.body;
  return line + "}\n";
}

void Batch::part_ended(std::size_t index, const Record::Ending& ending, const Result* result) {
  auto line = line_of(index, ending, result);
  std::unique_lock lock(mutex_);
  if (index < given_ || lines_[index - given_]) return;  // it has an answer already
  --in_flight_;
  settle(index, std::move(line));
  if (!awaited_ || bytes_ <= kMostWhole) return go_on(lock);
  const auto exchange = std::exchange(awaited_, nullptr);
  next_ = count_;
  lock.unlock();
  exchange->respond(problem_response(make_problem("limit_above_maximum", "the results are too large for one document",
                                                  "ask for them one by one: Accept: application/x-ndjson"),
                                     exchange->request_id));
}

// After something has changed: the client, or the end, may have waited for it.
void Batch::go_on(std::unique_lock<std::mutex>& lock) {
  const bool again = parked_ && has_next() && !must_pause();
  if (again) parked_ = false;
  const bool complete = !has_next() && in_flight_ == 0;
  const auto whole = complete ? std::exchange(awaited_, nullptr) : nullptr;
  lock.unlock();
  if (again) launcher_.pool().submit_again(shared_from_this());
  if (whole)
    whole->respond(whole_answer());
  else if (const auto exchange = exchange_.lock())
    exchange->wake();
}

Batch::State Batch::pull(std::string& out, std::size_t most) {
  std::unique_lock lock(mutex_);
  const auto before = out.size();
  while (!lines_.empty() && lines_.front() && out.size() - before < most) {
    out += *lines_.front();
    bytes_ -= lines_.front()->size();
    lines_.pop_front();
    ++given_;
  }
  const bool over = given_ == count_;
  const bool more = !lines_.empty() && lines_.front().has_value();
  const bool again = parked_ && has_next() && !must_pause();
  if (again) parked_ = false;
  lock.unlock();
  if (again) launcher_.pool().submit_again(shared_from_this());
  return over ? State::finished : more ? State::more : State::waiting;
}

void Batch::keepalive(std::string& out) { out += "{\"keepalive\":true}\n"; }

void Batch::answer_when_complete() { awaited_ = exchange_.lock(); }

http::Response Batch::whole_answer() {
  const std::lock_guard lock(mutex_);
  std::string body = "{\"object\":\"executions\",\"items\":[";
  body.reserve(bytes_ + 64);
  for (std::size_t i = 0; i < lines_.size(); ++i) {
    if (i) body += ',';
    body.append(*lines_[i], 0, lines_[i]->size() - 1);
  }
  return http::Response::json(body + "]}");
}

void Batch::settle_rest(const Problem& why) {
  while (has_next()) {
    lines_.emplace_back();
    settle(next_, problem_line(next_, why));
    ++next_;
  }
}

void Batch::give_up(const Problem& why) {
  std::unique_lock lock(mutex_);
  settle_rest(why);
  go_on(lock);
}

void Batch::stop() {
  std::vector<std::shared_ptr<Record>> running;
  {
    const std::lock_guard lock(mutex_);
    running = running_;
  }
  launcher_.pool().withdraw(*this);
  give_up(make_problem("cancelled", "the client has left"));
  for (const auto& record : running) record->cancel();
}

namespace {

// One program, many inputs: what they have in common is there once.
class Inputs final : public BatchItems {
 public:
  explicit Inputs(Request request) : inputs_(std::exchange(request.inputs, {})), request_(std::move(request)) {}
  std::size_t count() const override { return inputs_.size(); }
  std::expected<Request, Problem> take(std::size_t index) override {
    auto one = request_;
    const auto& input = inputs_[index];
    if (input.stdin_bytes) one.stdin_bytes = input.stdin_bytes;
    if (input.args) one.args = *input.args;
    return one;
  }
  std::uint64_t memory_bytes(std::size_t) const override { return request_.limits.memory_bytes.value_or(0); }
  const std::string* expected_stdout(std::size_t index) const override {
    const auto& expected = inputs_[index].expected_stdout;
    return expected ? &*expected : nullptr;
  }

 private:
  const std::vector<CaseInput> inputs_;
  const Request request_;
};

}  // namespace

void start_inputs(const Call& call, Request request, Launcher& launcher) {
  constexpr unsigned kConcurrency = 8;
  if (auto problem = launcher.check(request, *call.tenant)) return call.refuse(std::move(*problem));
  start_batch(call, std::make_unique<Inputs>(std::move(request)), kConcurrency, false, launcher);
}

void start_batch(const Call& call, std::unique_ptr<BatchItems> items, unsigned concurrency, bool always_lines,
                 Launcher& launcher) {
  const bool lines = always_lines || stream_form_of(call.request()) == StreamForm::ndjson;
  const auto batch = std::make_shared<Batch>(call.tenant, std::move(items), concurrency, launcher, call.exchange);
  call.request().body = {};
  if (!lines) batch->answer_when_complete();
  if (auto place = launcher.pool().submit(batch); !place) return call.refuse(std::move(place.error()));
  call.exchange->when_gone([batch] { batch->stop(); });
  if (!lines) return;
  http::Response response;
  response.source = batch;
  response.content_type = "application/x-ndjson";
  response.headers.emplace_back("X-Accel-Buffering", "no");
  call.respond(std::move(response));
}

}  // namespace hotcell::server
