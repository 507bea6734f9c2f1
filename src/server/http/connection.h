// One client's connection: requests in, answers out, one after the other.
//
// The coroutine waits for one thing only, its signal, and looks at everything when it comes: bytes, the end of the
// input, an answer, time that is up. A read is under way whenever there is room for what it brings, also while a
// request is being answered: that is how a client that leaves is noticed.
#pragma once
#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "server/http/door.h"
#include "server/http/parser.h"

namespace hotcell::server::http {

using Socket = boost::asio::generic::stream_protocol::socket;

// What all connections share; outlives them.
struct Shared {
  const Limits& limits;
  Budget& bodies;
  Door& door;
  std::string date;       // for the headers, set anew each second
  bool draining = false;  // every answer is its connection's last one
};

// Everything on the loop.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  using Clock = std::chrono::steady_clock;

  Connection(Socket socket, Peer peer, Shared& shared);
  // Until the connection ends. `self` keeps it alive.
  static boost::asio::awaitable<void> serve(std::shared_ptr<Connection> self);

  struct Refusal {
    std::string_view code, detail;
  };

  void tick(Clock::time_point now);  // now and then, for the limits of time
  void draining() { signal(); }      // an idle connection ends, a new one soon
  void abort();                      // at once, whatever it does

 private:
  boost::asio::awaitable<bool> one_request();
  boost::asio::awaitable<bool> read_head(RequestParser& parser);
  boost::asio::awaitable<bool> read_body(RequestParser& parser);
  boost::asio::awaitable<bool> answer(Response& response, bool keep_alive);
  boost::asio::awaitable<bool> stream(Source& source, bool chunked, std::string head);
  boost::asio::awaitable<bool> write(std::string_view first, std::string_view second);
  boost::asio::awaitable<bool> refuse(Refusal why);
  boost::asio::awaitable<bool> refuse_as(const protocol::Problem& problem);
  boost::asio::awaitable<void> linger();
  boost::asio::awaitable<void> wait();

  void read_more();
  void signal();
  void poke();
  std::string_view input() const { return {buffer_.data() + begin_, end_ - begin_}; }
  void due_in(std::chrono::milliseconds time) {
    due_ = Clock::now() + time;
    late_ = false;
  }
  void make_small();
  void not_due() { due_ = Clock::time_point::max(); }

  Socket socket_;
  const Peer peer_;
  Shared& shared_;
  std::shared_ptr<Exchange> exchange_;  // of the request at hand

  std::vector<char> buffer_;
  std::size_t begin_ = 0, end_ = 0;  // what has come and is not used yet
  bool reading_ = false;             // into buffer_, behind end_
  bool input_over_ = false;

  bool signalled_ = false;
  std::move_only_function<void()> waiter_;

  Clock::time_point due_ = Clock::time_point::max();         // by when what is waited for must have come
  Clock::time_point look_again_ = Clock::time_point::max();  // wake up then, nothing is wrong
  bool late_ = false;
  bool aborted_ = false;
  bool served_ = false;        // a request, before the one at hand
  std::uint64_t written_ = 0;  // of the answer at hand
};

}  // namespace hotcell::server::http
