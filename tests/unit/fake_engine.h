// An engine that runs nothing: it plays back what the test wrote down, and remembers what it was asked.
#pragma once
#include <poll.h>

#include <deque>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "protocol/engine.h"

namespace hotcell::protocol {

class FakeEngine : public Engine {
 public:
  // What becomes of one run: pieces of output in order, then the outcome (or the error). With `until_stopped` it waits
  // for the stop token in between, and the outcome is a cancellation.
  struct Play {
    std::vector<std::pair<Stream, std::string>> output;
    Expected<Outcome> outcome = Outcome{};
    bool until_stopped = false;
  };

  void will(Play play) {
    const std::lock_guard lock(mutex_);
    plays_.push_back(std::move(play));
  }
  std::vector<Request> requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

  std::string_view name() const override { return "fake"; }

  Expected<Outcome> run(const Request& request, OutputSink* sink, const StopToken* stop) override {
    Play play;
    {
      const std::lock_guard lock(mutex_);
      requests_.push_back(request);
      if (plays_.empty()) return fail("engine_unavailable", "the test has written no more plays");
      play = std::move(plays_.front());
      plays_.pop_front();
    }
    for (const auto& [stream, bytes] : play.output)
      if (sink) sink->output(stream, {bytes.data(), bytes.size()});
    if (play.until_stopped && stop) {
      pollfd wait{.fd = stop->fd(), .events = POLLIN, .revents = 0};
      while (!stop->stopped()) poll(&wait, 1, -1);
      Outcome cancelled;
      cancelled.status = Status::cancelled;
      auto& failure = cancelled.failure.emplace();
      failure.code = failure.kind = "cancelled";
      failure.message = "the run was cancelled";
      play.outcome = std::move(cancelled);
    }
    if (!play.outcome) return play.outcome;
    Outcome outcome = *std::move(play.outcome);
    for (const auto& [stream, bytes] : play.output) {
      Output& kept = stream == Stream::out ? outcome.out : outcome.err;
      kept.bytes += bytes;
      kept.total += bytes.size();
    }
    outcome.engine.name = name();
    return outcome;
  }

 private:
  mutable std::mutex mutex_;
  std::deque<Play> plays_;
  std::vector<Request> requests_;
};

}  // namespace hotcell::protocol
