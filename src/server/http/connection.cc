#include "server/http/connection.h"

#include <array>
#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>

namespace hotcell::server::http {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

constexpr std::size_t kSmallBuffer = 4u << 10;
constexpr std::size_t kLargeBuffer = 64u << 10;  // while a body comes
constexpr std::size_t kPull = 64u << 10;         // of a stream, at once
constexpr unsigned kPiecesInARow = 8;
constexpr std::chrono::milliseconds kLingerTime{1000};
constexpr std::size_t kLingerBytes = 4u << 20;
constexpr std::chrono::milliseconds kFirstRequestTime{1000};  // while draining

// In an expression with co_await there may be no temporary with a destructor, and no ?: either: GCC 12 destroys the
// first twice, and evaluates both sides of the second.
using Refusal = Connection::Refusal;
constexpr Refusal kSlowHead{"request_timeout", "the request's headers took too long to come"};
constexpr Refusal kSlowBody{"request_timeout", "the request's body took too long to come"};
constexpr Refusal kShortHead{"malformed", "the request ended before its headers did"};
constexpr Refusal kShortBody{"malformed", "the request ended before its body did"};
constexpr Refusal kBroken{"internal", "hotcell could not handle this request"};

}  // namespace

Connection::Connection(Socket socket, Peer peer, Shared& shared)
    : socket_(std::move(socket)), peer_(std::move(peer)), shared_(shared), buffer_(kSmallBuffer) {}

asio::awaitable<void> Connection::serve(std::shared_ptr<Connection> self) {
  for (bool more = true; more;) {
    more = co_await self->one_request();
    self->served_ = true;
    if (self->exchange_) {
      if (!more) self->exchange_->client_gone();
      self->exchange_->finish();
      self->exchange_.reset();
    }
  }
  if (!self->aborted_) co_await self->linger();
  error_code ignored;
  self->socket_.close(ignored);
}

// True: another one may follow.
asio::awaitable<bool> Connection::one_request() {
  written_ = 0;
  exchange_ = std::make_shared<Exchange>(peer_, shared_.bodies, [self = shared_from_this()] {
    asio::post(self->socket_.get_executor(), [self] { self->poke(); });
  });
  RequestParser parser(shared_.limits, exchange_->body_share(), exchange_->request());
  if (!co_await read_head(parser)) co_return false;
  const bool head_only = parser.state() == RequestParser::State::complete;
  if (auto early = shared_.door.at_headers(*exchange_)) {
    const bool keep = head_only && exchange_->request().keep_alive && !early->close && !shared_.draining;
    const bool written = co_await answer(*early, keep);
    co_return written&& keep;
  }
  if (!head_only && !co_await read_body(parser)) co_return false;

  not_due();
  std::string broken;
  try {
    shared_.door.handle(exchange_);
  } catch (const std::exception& error) {
    broken = error.what();
  }
  if (!broken.empty()) {
    shared_.door.broke(broken);
    co_await refuse(kBroken);
    co_return false;
  }
  Response response;
  while (!exchange_->take(response)) {
    make_small();
    read_more();
    co_await wait();
    if (aborted_) co_return false;
  }
  const bool keep = exchange_->request().keep_alive && !response.close && !shared_.draining && !input_over_;
  const bool written = co_await answer(response, keep);
  co_return written&& keep;
}

asio::awaitable<bool> Connection::read_head(RequestParser& parser) {
  due_in(shared_.limits.idle_time);
  bool hurried = false;
  for (;;) {
    const bool first = parser.state() == RequestParser::State::nothing;
    begin_ += parser.feed(input());
    if (first && parser.state() != RequestParser::State::nothing) due_in(shared_.limits.head_time);
    if (parser.state() == RequestParser::State::failed) {
      co_await refuse_as(parser.problem());
      co_return false;
    }
    if (parser.head_complete()) co_return true;
    const bool nothing = parser.state() == RequestParser::State::nothing;
    if (aborted_ || (nothing && (input_over_ || late_))) co_return false;
    // While draining, an idle connection ends. One that has just come has its first request on the way: whoever was let
    // in gets an answer.
    error_code ignored;
    if (nothing && shared_.draining && served_ && socket_.available(ignored) == 0) co_return false;
    if (nothing && shared_.draining && !std::exchange(hurried, true)) due_in(kFirstRequestTime);
    if (late_) {
      co_await refuse(kSlowHead);
      co_return false;
    }
    if (input_over_) {
      co_await refuse(kShortHead);
      co_return false;
    }
    read_more();
    co_await wait();
  }
}

asio::awaitable<bool> Connection::read_body(RequestParser& parser) {
  const auto& request = exchange_->request();
  const auto& limits = shared_.limits;
  due_in(limits.body_time);
  const auto due = due_;
  if (const auto* expect = request.header("expect"); expect && *expect == "100-continue" && request.http_1_1)
    if (!co_await write("HTTP/1.1 100 Continue\r\n\r\n", {})) co_return false;
  for (;;) {
    begin_ += parser.feed(input());
    if (parser.state() == RequestParser::State::failed) {
      co_await refuse_as(parser.problem());
      co_return false;
    }
    if (parser.state() == RequestParser::State::complete) co_return true;
    if (aborted_) co_return false;
    // What has come buys time for the rest.
    const auto bought = 1000 * request.body.size() / std::max<std::uint64_t>(limits.body_bytes_per_second, 1);
    if (!late_) due_ = due + std::chrono::milliseconds(bought);
    if (late_ || input_over_) {
      const auto why = late_ ? kSlowBody : kShortBody;
      co_await refuse(why);
      co_return false;
    }
    if (!reading_ && buffer_.size() < kLargeBuffer) buffer_.resize(kLargeBuffer);
    read_more();
    co_await wait();
  }
}

asio::awaitable<bool> Connection::refuse(Refusal why) {
  const auto problem = protocol::make_problem(std::string(why.code), std::string(why.detail));
  co_return co_await refuse_as(problem);
}

asio::awaitable<bool> Connection::refuse_as(const protocol::Problem& problem) {
  auto response = shared_.door.refuse(*exchange_, problem);
  co_return co_await answer(response, false);
}

asio::awaitable<bool> Connection::answer(Response& response, bool keep_alive) {
  const auto& request = exchange_->request();
  const bool no_request = request.method.empty();  // it was none
  const bool chunked = no_request || request.http_1_1;
  if (response.source && !chunked) keep_alive = false;
  std::string head;
  head.reserve(320);
  write_head(head, response, no_request ? nullptr : &request, keep_alive, shared_.date, exchange_->answer_headers);
  bool done = false;
  if (request.method == "HEAD") {
    done = co_await write(head, {});
  } else if (response.source) {
    done = co_await stream(*response.source, chunked, std::move(head));
  } else {
    std::string_view body;
    if (response.body) body = *response.body;
    done = co_await write(head, body);
  }
  if (!done) exchange_->client_gone();
  shared_.door.answered(*exchange_, response, written_);
  co_return done;
}

asio::awaitable<bool> Connection::stream(Source& source, bool chunked, std::string head) {
  std::string piece, framed = std::move(head);  // the head goes with the first piece
  auto keepalive_at = Clock::now() + shared_.limits.silence;
  unsigned pieces = 0;
  for (bool finished = false; !finished;) {
    piece.clear();
    const auto state = source.pull(piece, kPull);
    finished = state == Source::State::finished;
    if (piece.empty() && !finished && Clock::now() >= keepalive_at) source.keepalive(piece);
    if (!piece.empty()) {
      if (chunked)
        write_chunk(framed, piece);
      else
        framed += piece;
    }
    if (finished && chunked) framed += kLastChunk;
    if (!framed.empty()) {
      const bool written = co_await write(framed, {});
      if (!written) co_return false;
      framed.clear();
      keepalive_at = Clock::now() + shared_.limits.silence;
      // However fast this client reads, the others have their turns.
      if (++pieces % kPiecesInARow == 0) co_await asio::post(socket_.get_executor(), asio::use_awaitable);
      continue;
    }
    if (Clock::now() >= keepalive_at) keepalive_at = Clock::now() + shared_.limits.silence;  // it had nothing to show
    if (state != Source::State::waiting || exchange_->take_wake()) continue;
    look_again_ = keepalive_at;
    read_more();
    co_await wait();
    look_again_ = Clock::time_point::max();
    if (source.gather().count() > 0) {
      asio::steady_timer more(socket_.get_executor(), source.gather());
      error_code ignored;
      co_await more.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    }
    if (aborted_) co_return false;
  }
  co_return true;
}

asio::awaitable<bool> Connection::write(std::string_view first, std::string_view second) {
  for (;;) {
    error_code problem;
    const std::array buffers{asio::const_buffer(first.data(), first.size()),
                             asio::const_buffer(second.data(), second.size())};
    auto sent = socket_.write_some(buffers, problem);
    written_ += sent;
    const auto of_first = std::min(sent, first.size());
    first.remove_prefix(of_first);
    second.remove_prefix(sent - of_first);
    if (first.empty() && second.empty()) break;
    if (problem && problem != asio::error::would_block) co_return false;
    if (!problem) continue;
    due_in(shared_.limits.write_time);
    co_await socket_.async_wait(Socket::wait_write, asio::redirect_error(asio::use_awaitable, problem));
    if (problem || late_ || aborted_) co_return false;
  }
  not_due();
  co_return true;
}

// A close while unread bytes wait makes the kernel reset the connection, and the client may lose the answer that it
// has not read yet. So our side says that it is done, and takes what still comes, for a moment.
asio::awaitable<void> Connection::linger() {
  error_code ignored;
  socket_.shutdown(Socket::shutdown_send, ignored);
  due_in(kLingerTime);
  for (std::size_t taken = 0; !input_over_ && !late_ && !aborted_ && taken < kLingerBytes;) {
    taken += end_ - begin_;
    begin_ = end_;
    read_more();
    co_await wait();
  }
}

asio::awaitable<void> Connection::wait() {
  if (std::exchange(signalled_, false)) co_return;
  co_await asio::async_initiate<const asio::use_awaitable_t<>, void()>(
      [this](auto&& handler) {
        waiter_ = [kept = std::forward<decltype(handler)>(handler)]() mutable { std::move(kept)(); };
      },
      asio::use_awaitable);
}

void Connection::signal() {
  if (auto waiter = std::exchange(waiter_, nullptr))
    waiter();
  else
    signalled_ = true;
}

// Something may have changed for the exchange: its answer is there, or its source has more.
void Connection::poke() { signal(); }

void Connection::read_more() {
  if (reading_ || input_over_ || aborted_) return;
  if (begin_ == end_) begin_ = end_ = 0;
  if (end_ == buffer_.size() && begin_ > 0) {
    std::copy(buffer_.begin() + static_cast<std::ptrdiff_t>(begin_),
              buffer_.begin() + static_cast<std::ptrdiff_t>(end_), buffer_.begin());
    end_ -= begin_;
    begin_ = 0;
  }
  if (end_ == buffer_.size()) {
    if (buffer_.size() >= shared_.limits.head_bytes) return;  // enough for now; the parser says no to longer headers
    buffer_.resize(std::min(2 * buffer_.size(), shared_.limits.head_bytes));
  }
  reading_ = true;
  socket_.async_read_some(asio::buffer(buffer_.data() + end_, buffer_.size() - end_),
                          [self = shared_from_this()](error_code problem, std::size_t size) {
                            self->reading_ = false;
                            self->end_ += size;
                            if (problem) {
                              self->input_over_ = true;
                              if (self->exchange_) self->exchange_->client_gone();
                            }
                            self->signal();
                          });
}

// What a large body needed is not kept by a connection that may be idle for long.
void Connection::make_small() {
  if (reading_ || begin_ != end_ || buffer_.size() == kSmallBuffer) return;
  buffer_ = std::vector<char>(kSmallBuffer);
  begin_ = end_ = 0;
}

void Connection::tick(Clock::time_point now) {
  if (now >= due_) {
    not_due();
    late_ = true;
    if (!waiter_) {  // it waits for the client to take its answer
      error_code ignored;
      socket_.cancel(ignored);
    }
    signal();
  } else if (now >= look_again_) {
    look_again_ = Clock::time_point::max();
    signal();
  }
}

void Connection::abort() {
  aborted_ = true;
  if (exchange_) exchange_->client_gone();
  error_code ignored;
  socket_.close(ignored);
  signal();
}

}  // namespace hotcell::server::http
