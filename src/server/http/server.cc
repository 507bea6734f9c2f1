#include "server/http/server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <csignal>
#include <exception>
#include <unordered_set>

#include "server/http/connection.h"

namespace hotcell::server::http {

namespace asio = boost::asio;
using boost::system::error_code;
using Clock = std::chrono::steady_clock;

namespace {

constexpr std::chrono::milliseconds kTick{100};
constexpr std::chrono::milliseconds kAcceptPause{100};  // when there are no descriptors left

Peer peer_of(int fd, const sockaddr_storage& from) {
  Peer peer;
  peer.unix_socket = from.ss_family == AF_UNIX;
  if (peer.unix_socket) {
    ucred who{};
    socklen_t size = sizeof who;
    if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) == 0) peer.uid = who.uid;
    return peer;
  }
  char text[64] = {};
  std::uint16_t port = 0;
  if (from.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(from);
    ::inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
    port = ntohs(v4.sin_port);
  } else {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(from);
    ::inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
    port = ntohs(v6.sin6_port);
  }
  peer.address = std::string(text) + ":" + std::to_string(port);
  return peer;
}

}  // namespace

struct Server::State {
  State(Limits given, Door& door_) : limits(given), bodies(limits.bodies_bytes), shared{limits, bodies, door_, {}} {}

  const Limits limits;
  Budget bodies;
  Shared shared;
  asio::io_context loop{1};
  asio::executor_work_guard<asio::io_context::executor_type> work{loop.get_executor()};
  asio::steady_timer timer{loop};
  std::optional<asio::signal_set> signals;
  std::function<void(int)> on_signal;
  std::function<void()> each_tick;
  std::vector<Listener> listeners;
  std::vector<std::unique_ptr<asio::posix::stream_descriptor>> acceptors;
  std::unordered_set<std::shared_ptr<Connection>> connections;
  std::atomic<std::size_t> count{0};
  Clock::time_point next_second{};
  bool stopping = false;  // nothing is waited for any more: a timer that has gone off already cannot be cancelled

  asio::awaitable<void> accept(asio::posix::stream_descriptor& acceptor, bool health_only);
  void admit(int fd, const sockaddr_storage& from, bool health_only);
  void tick();
  void await_signal();
  void close_listeners();
};

asio::awaitable<void> Server::State::accept(asio::posix::stream_descriptor& acceptor, bool health_only) {
  asio::steady_timer pause(loop);
  for (;;) {
    error_code problem;
    co_await acceptor.async_wait(asio::posix::stream_descriptor::wait_read,
                                 asio::redirect_error(asio::use_awaitable, problem));
    if (problem) co_return;
    for (;;) {
      sockaddr_storage from{};
      socklen_t size = sizeof from;
      const int fd =
          ::accept4(acceptor.native_handle(), reinterpret_cast<sockaddr*>(&from), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd >= 0) {
        admit(fd, from, health_only);
        continue;
      }
      if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        pause.expires_after(kAcceptPause);
        co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, problem));
        if (problem) co_return;
        continue;
      }
      if (errno == ECONNABORTED || errno == EINTR) continue;
      break;
    }
  }
}

void Server::State::admit(int fd, const sockaddr_storage& from, bool health_only) {
  Fd owned(fd);
  if (connections.size() >= limits.connections) {
    auto response = Response::problem("at_capacity", "the server has as many connections as it may");
    std::string text;
    write_head(text, response, nullptr, false, shared.date);
    text += *response.body;
    [[maybe_unused]] const auto sent = ::send(fd, text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    return;
  }
  auto peer = peer_of(fd, from);
  peer.health_only = health_only;
  const int one = 1;
  if (!peer.unix_socket) ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  const asio::generic::stream_protocol protocol(from.ss_family, peer.unix_socket ? 0 : IPPROTO_TCP);
  error_code problem;
  Socket socket(loop);
  socket.assign(protocol, fd, problem);
  if (problem) return;
  owned.release();
  socket.non_blocking(true, problem);
  auto connection = std::make_shared<Connection>(std::move(socket), std::move(peer), shared);
  connections.insert(connection);
  count = connections.size();
  asio::co_spawn(loop, Connection::serve(connection), [this, connection](std::exception_ptr thrown) {
    // The one place where an exception ends: its connection goes, the others do not notice.
    if (thrown) {
      try {
        std::rethrow_exception(thrown);
      } catch (const std::exception& error) {
        shared.door.broke(error.what());
      } catch (...) {
        shared.door.broke("an unknown exception");
      }
      connection->abort();
    }
    connections.erase(connection);
    count = connections.size();
  });
}

void Server::State::tick() {
  timer.expires_after(kTick);
  timer.async_wait([this](error_code problem) {
    if (problem || stopping) return;
    const auto now = Clock::now();
    if (now >= next_second) {
      next_second = now + std::chrono::seconds(1);
      shared.date = http_date(std::chrono::system_clock::now());
    }
    if (each_tick) each_tick();
    // Whoever is late may end at once, and leave the set.
    std::vector<std::shared_ptr<Connection>> all(connections.begin(), connections.end());
    for (const auto& connection : all) connection->tick(now);
    tick();
  });
}

void Server::State::await_signal() {
  signals->async_wait([this](error_code problem, int number) {
    if (problem || stopping) return;
    if (on_signal) on_signal(number);
    await_signal();
  });
}

void Server::State::close_listeners() {
  for (auto& acceptor : acceptors) {
    error_code ignored;
    acceptor->close(ignored);
  }
  listeners.clear();
}

Server::Server(Limits limits, Door& door) : state_(std::make_unique<State>(limits, door)) {}
Server::~Server() = default;

void Server::listen(Listener listener, bool health_only) {
  // The descriptor is both ours, to remove its file at the end, and the loop's.
  const int copy = ::fcntl(listener.fd(), F_DUPFD_CLOEXEC, 3);
  if (copy < 0) return;
  state_->acceptors.push_back(std::make_unique<asio::posix::stream_descriptor>(state_->loop, copy));
  state_->listeners.push_back(std::move(listener));
  asio::co_spawn(state_->loop, state_->accept(*state_->acceptors.back(), health_only), [](std::exception_ptr) {});
}

std::vector<Address> Server::addresses() const {
  std::vector<Address> out;
  for (const auto& listener : state_->listeners) out.push_back(listener.address());
  return out;
}

void Server::run() {
  state_->shared.date = http_date(std::chrono::system_clock::now());
  state_->tick();
  state_->loop.run();
}

void Server::drain() {
  post([this] {
    state_->close_listeners();
    state_->shared.draining = true;
    std::vector<std::shared_ptr<Connection>> all(state_->connections.begin(), state_->connections.end());
    for (const auto& connection : all) connection->draining();
  });
}

void Server::stop() {
  post([this] {
    state_->stopping = true;
    state_->close_listeners();
    std::vector<std::shared_ptr<Connection>> all(state_->connections.begin(), state_->connections.end());
    for (const auto& connection : all) connection->abort();
    error_code ignored;
    state_->timer.cancel();
    if (state_->signals) state_->signals->cancel(ignored);
    state_->work.reset();
  });
}

void Server::post(std::function<void()> work) { asio::post(state_->loop, std::move(work)); }

void Server::each_tick(std::function<void()> work) { state_->each_tick = std::move(work); }

void Server::on_signal(std::function<void(int)> action) {
  state_->on_signal = std::move(action);
  state_->signals.emplace(state_->loop, SIGTERM, SIGINT, SIGHUP);
  state_->await_signal();
}

std::size_t Server::connections() const { return state_->count; }
std::uint64_t Server::body_bytes() const { return state_->bodies.used(); }

}  // namespace hotcell::server::http
