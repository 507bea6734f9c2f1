// A backend that runs nothing: programs are words that it understands.
#pragma once
#include <poll.h>

#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "server/backend.h"

namespace hotcell::server {

// "print X" completes with X; "fail" fails; "hold" runs until let_go() or cancelled, and says "held" first; "flood N"
// writes N bytes; "throw" throws; "refuse CODE" is an error; "files" leaves two files; "echo" gives back its input.
class FakeBackend final : public Backend {
 public:
  Expected<protocol::Result> run(const protocol::Request& request, protocol::OutputSink* sink,
                                 const protocol::StopToken* stop) override {
    using namespace protocol;
    const std::string code = request.code.value_or("");
    const auto space = code.find(' ');
    const auto word = code.substr(0, space);
    const auto rest = space == code.npos ? "" : code.substr(space + 1);
    {
      const std::lock_guard lock(mutex_);
      requests_.push_back(request);
      ++running_[rest];
      most_ = std::max(most_, ++now_);
      changed_.notify_all();
    }
    Result result;
    result.id = "exe_of_the_backend";
    result.created_at = result.finished_at = std::chrono::system_clock::now();
    result.metadata = request.metadata;
    auto& outcome = result.outcome;
    outcome.engine = {"fake", "1", "", "warm", "the test says so"};
    outcome.exit_code = 0;
    if (sink && word != "refuse") sink->started("fake", "warm");
    const auto put = [&](std::string_view bytes) {
      if (sink) sink->output(Stream::out, {bytes.data(), bytes.size()});
      if (outcome.out.bytes.size() + bytes.size() <= (1u << 20)) outcome.out.bytes += bytes;
      outcome.out.total += bytes.size();
    };
    std::optional<Error> error;
    if (word == "print") {
      put(rest + "\n");
    } else if (word == "echo") {
      put(request.stdin_bytes.value_or("") + "|");
      for (const auto& arg : request.args) put(arg + ",");
    } else if (word == "fail") {
      outcome.status = Status::failed;
      outcome.exit_code = 1;
      auto& failure = outcome.failure.emplace();
      failure.code = failure.kind = "exception";
      failure.name = "ValueError";
      failure.message = "no";
    } else if (word == "hold") {
      put("held\n");
      std::unique_lock lock(mutex_);
      while (!let_go_ && !stop->stopped()) changed_.wait_for(lock, std::chrono::milliseconds(2));
      if (stop->stopped()) {
        outcome.status = Status::cancelled;
        auto& failure = outcome.failure.emplace();
        failure.code = failure.kind = "cancelled";
        failure.message = "the run was cancelled";
      }
    } else if (word == "flood") {
      const std::string piece(8192, 'x');
      for (std::size_t left = std::stoul(rest); left > 0 && !stop->stopped();) {
        const auto size = std::min(left, piece.size());
        put(std::string_view(piece).substr(0, size));
        left -= size;
        const std::lock_guard lock(mutex_);
        flooded_ += size;
      }
    } else if (word == "files") {
      outcome.files.push_back({"small.txt", Change::created, 5, "small", false, "", ""});
      outcome.files.push_back({"dir/large ä.html", Change::created, 100'000, std::string(100'000, 'L'), false, "", ""});
      if (request.collect.inline_bytes < 100'000) outcome.files.back().content_left_out = true;
    } else if (word == "refuse") {
      error = Error{rest, "the engine does not want this", ""};
    } else if (word == "throw") {
      finished(rest);
      throw std::runtime_error("the backend is broken");
    }
    finished(rest);
    if (error) return std::unexpected(*error);
    return result;
  }

  std::vector<EngineFacts> engines() override {
    EngineFacts fake;
    fake.name = "fake";
    fake.version = "1";
    const std::lock_guard lock(mutex_);
    fake.ready = ready_;
    fake.why_not = "the test says so";
    fake.proofs_failed = 3, fake.removals_failed = 2;
    fake.languages.push_back({"python", {"py", "python3"}, "3", 1});
    return {fake};
  }

  void let_go() {
    const std::lock_guard lock(mutex_);
    let_go_ = true;
    changed_.notify_all();
  }
  void set_ready(bool ready) {
    const std::lock_guard lock(mutex_);
    ready_ = ready;
  }
  // Waits until so many programs have begun.
  bool begun(std::size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(10), [&] { return requests_.size() >= count; });
  }
  bool all_ended() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(10), [&] { return now_ == 0; });
  }
  std::vector<protocol::Request> requests() {
    const std::lock_guard lock(mutex_);
    return requests_;
  }
  unsigned most_at_once() {
    const std::lock_guard lock(mutex_);
    return most_;
  }
  std::size_t flooded() {
    const std::lock_guard lock(mutex_);
    return flooded_;
  }

 private:
  void finished(const std::string& rest) {
    const std::lock_guard lock(mutex_);
    --now_;
    --running_[rest];
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<protocol::Request> requests_;
  std::map<std::string, int> running_;
  unsigned now_ = 0, most_ = 0;
  std::size_t flooded_ = 0;
  bool let_go_ = false, ready_ = true;
};

}  // namespace hotcell::server
