// One request and the place where its answer goes. What answers it may be on any thread and may take its time; the
// connection waits, and watches meanwhile whether the client is still there.
#pragma once
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "server/http/limits.h"
#include "server/http/message.h"

namespace hotcell::server::http {

// respond(), wake() and when_gone() may be called from any thread.
class Exchange : public std::enable_shared_from_this<Exchange> {
 public:
  using Clock = std::chrono::steady_clock;

  // `poke` makes the connection look at this exchange again; it may be called from any thread.
  Exchange(Peer peer, Budget& bodies, std::function<void()> poke)
      : body_share_(bodies), peer_(std::move(peer)), poke_(std::move(poke)) {}

  // Theirs who answer, until the answer is given.
  Request& request() { return request_; }
  const Peer& peer() const { return peer_; }
  Clock::time_point received() const { return received_; }

  // Notes of the Door, made when the headers were there: what is asked for, and by whom.
  std::string request_id, trace_id;
  std::string answer_headers;  // lines for every answer: "X-Request-Id: …\r\n"
  const void* route = nullptr;
  std::shared_ptr<void> caller;

  // The answer, once; a second one is dropped.
  void respond(Response response);
  // More can be pulled from the answer's source.
  void wake();
  // Called at most once, when the client is gone before its answer was complete; at once if it is gone already.
  void when_gone(std::function<void()> action);

  // --- The connection's side, on the loop.

  // Takes the answer if there is one. False: not yet; `poke` will be called when there is.
  bool take(Response& out);
  // False: nothing has called wake() since the last look; `poke` will be called when something does.
  bool take_wake();
  void client_gone();
  Budget::Share& body_share() { return body_share_; }
  // The answer is complete: nobody has to be told any more.
  void finish();

 private:
  Budget::Share body_share_;
  Request request_;
  const Peer peer_;
  const std::function<void()> poke_;
  const Clock::time_point received_ = Clock::now();

  enum class Answer { none, awaited, given, taken };
  std::mutex mutex_;  // of the answer, and of who is gone
  Answer answer_ = Answer::none;
  Response response_;

  enum class Wake { none, awaited, called };
  std::atomic<Wake> wake_{Wake::none};

  std::function<void()> when_gone_;
  bool gone_ = false;
  std::atomic<bool> finished_{false};
};

}  // namespace hotcell::server::http
