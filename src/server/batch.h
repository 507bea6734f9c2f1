// Many runs for one request: a batch of programs, or one program with many inputs.
//
// A batch is one job in its tenant's queue that hands out its items one by one, so that it takes turns with everything
// else. Answers go out in order, each as soon as it and all before it are there; when the client does not take them,
// no more items are handed out.
#pragma once
#include <deque>
#include <expected>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "server/call.h"
#include "server/http/message.h"
#include "server/launcher.h"

namespace hotcell::server {

// What a batch is made of. Each item is asked for once, on the thread that runs it.
class BatchItems {
 public:
  virtual ~BatchItems() = default;
  virtual std::size_t count() const = 0;
  virtual std::expected<protocol::Request, protocol::Problem> take(std::size_t index) = 0;
  virtual std::uint64_t memory_bytes(std::size_t index) const = 0;
  virtual const std::string* expected_stdout(std::size_t index) const { return (void)index, nullptr; }
};

class Batch final : public Job, public http::Source, public std::enable_shared_from_this<Batch> {
 public:
  Batch(std::shared_ptr<Tenant> tenant, std::unique_ptr<BatchItems> items, unsigned concurrency, Launcher& launcher,
        const std::shared_ptr<http::Exchange>& exchange);

  // Job
  void run() override {}  // its items run
  void give_up(const protocol::Problem& why) override;
  bool is_series() const override { return true; }
  std::shared_ptr<Job> next_of_series() override;

  // Source: the answers, an object a line.
  State pull(std::string& out, std::size_t most) override;
  std::chrono::microseconds gather() const override { return std::chrono::milliseconds(1); }
  void keepalive(std::string& out) override;

  // All answers as one document, when everything is there, instead of pull(). Call it before the batch is submitted.
  void answer_when_complete();
  // The client is gone: nothing more is begun, and what runs is ended.
  void stop();

 private:
  class Part;

  void part_ended(std::size_t index, const Record::Ending& ending, const protocol::Result* result);
  std::string line_of(std::size_t index, const Record::Ending& ending, const protocol::Result* result) const;
  http::Response whole_answer();
  // All below with mutex_ held; go_on() lets go of it.
  void settle(std::size_t index, std::string line);
  void settle_rest(const protocol::Problem& why);
  bool has_next() const { return next_ < count_; }
  bool must_pause() const;
  void go_on(std::unique_lock<std::mutex>& lock);

  Launcher& launcher_;
  const std::weak_ptr<http::Exchange> exchange_;
  const Asker asker_;
  const std::unique_ptr<BatchItems> items_;
  const std::size_t count_;
  const unsigned concurrency_;

  std::mutex mutex_;
  std::shared_ptr<http::Exchange> awaited_;       // wants one answer at the end
  std::size_t next_ = 0;                          // to be handed out
  std::size_t in_flight_ = 0;                     // handed out, not ended
  std::size_t given_ = 0;                         // lines that have been pulled
  std::deque<std::optional<std::string>> lines_;  // of items from given_ to next_
  std::size_t bytes_ = 0;                         // in lines_
  bool parked_ = false;                           // not in the queue, though there is more
  std::vector<std::shared_ptr<Record>> running_;
};

// Answers the call with a batch: as NDJSON when asked for lines (or `always_lines`), else as one document.
void start_batch(const Call& call, std::unique_ptr<BatchItems> items, unsigned concurrency, bool always_lines,
                 Launcher& launcher);

// POST /v1/execute with `inputs`.
void start_inputs(const Call& call, protocol::Request request, Launcher& launcher);

}  // namespace hotcell::server
