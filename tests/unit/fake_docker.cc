#include "fake_docker.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <atomic>
#include <cctype>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>

#include "docker/api/types.h"

namespace hotcell::docker {
namespace {

void require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "the fake daemon is broken: %s\n", what);
  std::abort();
}

bool fits(std::string_view route, std::string_view request) {
  if (route.ends_with('*')) return request.starts_with(route.substr(0, route.size() - 1));
  return route == request;
}

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

std::string decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size()) {
      out += static_cast<char>(std::stoi(std::string(text.substr(i + 1, 2)), nullptr, 16));
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::string status_line(int status) { return "HTTP/1.1 " + std::to_string(status) + " Whatever\r\n"; }

// Reads requests byte by byte from a buffer that fills as needed. Empty: the other side closed.
class Reader {
 public:
  explicit Reader(int fd) : fd_(fd) {}
  std::optional<std::string> line() {
    for (;;) {
      if (const auto end = buffer.find("\r\n"); end != std::string::npos) {
        auto out = buffer.substr(0, end);
        buffer.erase(0, end + 2);
        return out;
      }
      if (!fill()) return std::nullopt;
    }
  }
  std::optional<std::string> exactly(std::size_t size) {
    while (buffer.size() < size)
      if (!fill()) return std::nullopt;
    auto out = buffer.substr(0, size);
    buffer.erase(0, size);
    return out;
  }
  std::string buffer;

 private:
  bool fill() {
    char bytes[65536];
    const ssize_t got = recv(fd_, bytes, sizeof bytes, 0);
    if (got > 0) buffer.append(bytes, static_cast<std::size_t>(got));
    return got > 0;
  }
  int fd_;
};

std::optional<Seen> read_head(Reader& in) {
  const auto first = in.line();
  if (!first) return std::nullopt;
  Seen out;
  const auto space = first->find(' ');
  const auto last = first->rfind(' ');
  out.method = first->substr(0, space);
  std::string target = first->substr(space + 1, last - space - 1);
  if (const auto mark = target.find('?'); mark != std::string::npos) {
    std::string_view rest = std::string_view(target).substr(mark + 1);
    while (!rest.empty()) {
      const auto parameter = rest.substr(0, rest.find('&'));
      rest.remove_prefix(std::min(rest.size(), parameter.size() + 1));
      const auto equals = std::min(parameter.size(), parameter.find('='));
      out.query[decoded(parameter.substr(0, equals))] =
          equals < parameter.size() ? decoded(parameter.substr(equals + 1)) : std::string();
    }
    target.resize(mark);
  }
  if (target.starts_with("/v1.")) {
    const auto slash = target.find('/', 1);
    out.version = target.substr(2, slash - 2);
    target.erase(0, slash);
  }
  out.path = target;
  for (;;) {
    const auto line = in.line();
    if (!line) return std::nullopt;
    if (line->empty()) return out;
    const auto colon = line->find(": ");
    out.headers[lower(line->substr(0, colon))] = line->substr(colon + 2);
  }
}

bool read_body(Reader& in, Seen& seen) {
  if (seen.headers["transfer-encoding"] == "chunked") {
    for (;;) {
      const auto size = in.line();
      if (!size) return false;
      const auto bytes = in.exactly(std::stoul(*size, nullptr, 16));
      if (!bytes || !in.line()) return false;
      if (bytes->empty()) return true;
      seen.body += *bytes;
    }
  }
  const auto length = seen.headers.find("content-length");
  if (length == seen.headers.end()) return true;
  const auto bytes = in.exactly(std::stoul(length->second));
  if (bytes) seen.body = *bytes;
  return bytes.has_value();
}

void send_all(int fd, std::string_view bytes, std::size_t at_a_time) {
  while (!bytes.empty()) {
    const ssize_t sent = send(fd, bytes.data(), std::min(bytes.size(), at_a_time), MSG_NOSIGNAL);
    if (sent <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

}  // namespace

void Gate::open() const {
  const std::lock_guard lock(state_->mutex);
  state_->open = true;
  state_->opened.notify_all();
}

void Gate::wait() const {
  std::unique_lock lock(state_->mutex);
  state_->opened.wait_for(lock, std::chrono::seconds(30), [&] { return state_->open; });
}

std::string frame(int stream, std::string_view bytes) {
  const auto size = static_cast<std::uint32_t>(bytes.size());
  std::string out{static_cast<char>(stream), 0, 0, 0};
  for (const int shift : {24, 16, 8, 0}) out += static_cast<char>(size >> shift);
  return out.append(bytes);
}

void Wire::write(std::string_view bytes) { send_all(fd_, bytes, bytes.size()); }
void Wire::frame(int stream, std::string_view bytes) { write(docker::frame(stream, bytes)); }

std::string Wire::read(std::size_t size) {
  char bytes[65536];
  while (received_.size() < size) {
    const ssize_t got = recv(fd_, bytes, sizeof bytes, 0);
    if (got <= 0) break;
    received_.append(bytes, static_cast<std::size_t>(got));
  }
  auto out = received_.substr(0, size);
  received_.erase(0, out.size());
  return out;
}

std::string Wire::read_to_end() { return read(std::string::npos); }

Reply Reply::raw(std::string bytes) {
  Reply out;
  out.bytes = std::move(bytes);
  return out;
}

Reply Reply::json(int status, std::string_view body) {
  return raw(status_line(status) + "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
             "\r\n\r\n" + std::string(body));
}

Reply Reply::chunked(int status, const std::vector<std::string>& chunks) {
  auto bytes = status_line(status) + "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const auto& chunk : chunks) {
    char size[32];
    std::snprintf(size, sizeof size, "%zx\r\n", chunk.size());
    bytes += size + chunk + "\r\n";
  }
  return raw(bytes + "0\r\n\r\n");
}

Reply Reply::until_close(int status, std::string_view body) {
  return raw(status_line(status) + "\r\n" + std::string(body));
}

Reply Reply::error(int status, std::string_view message) {
  return json(status, nlohmann::json{{"message", message}}.dump());
}

Reply Reply::nothing() { return raw(""); }

Reply Reply::silence() {
  Reply out;
  out.then_silent = true;
  return out;
}

Reply Reply::hijacked(std::function<void(Wire&)> then, std::string_view head) {
  auto out = raw(std::string(head));
  out.then = std::move(then);
  return out;
}

Reply Reply::cut(std::size_t at) && {
  cut_at = at;
  return std::move(*this);
}
Reply Reply::in_pieces_of(std::size_t size) && {
  pieces_of = size;
  return std::move(*this);
}
Reply Reply::when(Gate gate) && {
  after = std::move(gate);
  return std::move(*this);
}
Reply Reply::early() && {
  refuses_body = true;
  return std::move(*this);
}

FakeDocker::FakeDocker(std::string newest, std::string oldest)
    : newest_(std::move(newest)), oldest_(std::move(oldest)) {
  folder_ = (std::filesystem::temp_directory_path() / "fake-docker-XXXXXX").string();
  require(mkdtemp(folder_.data()) != nullptr, "no folder");
  socket_ = folder_ + "/docker.sock";
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  require(socket_.size() < sizeof address.sun_path, "the path is too long");
  std::memcpy(address.sun_path, socket_.data(), socket_.size());
  listener_ = Fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  wake_ = Fd(eventfd(0, EFD_CLOEXEC));
  require(bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0, "cannot bind");
  require(listen(listener_.get(), 64) == 0, "cannot listen");
  thread_ = std::thread([this] { listen_for_ever(); });
}

FakeDocker::~FakeDocker() {
  stop();
  std::filesystem::remove_all(folder_);
}

void FakeDocker::stop() {
  const std::uint64_t one = 1;
  require(write(wake_.get(), &one, sizeof one) == sizeof one, "cannot wake");
  if (thread_.joinable()) thread_.join();
  listener_.reset();
  std::list<Session> sessions;
  {
    const std::lock_guard lock(mutex_);
    sessions.swap(sessions_);
  }
  for (auto& session : sessions) shutdown(session.connection.get(), SHUT_RDWR);
  for (auto& session : sessions) session.thread.join();
}

void FakeDocker::listen_for_ever() {
  for (;;) {
    pollfd fds[] = {{listener_.get(), POLLIN, 0}, {wake_.get(), POLLIN, 0}};
    poll(fds, 2, -1);
    if (fds[1].revents) return;
    Fd connection(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!connection) continue;
    const std::lock_guard lock(mutex_);
    auto& session = sessions_.emplace_back();
    session.connection = std::move(connection);
    session.thread = std::thread([this, fd = session.connection.get()] { serve(fd); });
  }
}

void FakeDocker::serve(int fd) {
  Reader in(fd);
  auto request = read_head(in);
  if (!request) return;
  const auto route = route_for(*request);
  if (!route.early && !read_body(in, *request)) return;
  {
    const std::lock_guard lock(mutex_);
    seen_.push_back(*request);
  }
  seen_more_.notify_all();
  const auto reply = route.script(*request);
  if (reply.after) reply.after->wait();
  const auto bytes = std::string_view(reply.bytes).substr(0, reply.cut_at);
  send_all(fd, bytes, reply.pieces_of ? reply.pieces_of : std::max<std::size_t>(bytes.size(), 1));
  if (reply.then) {
    Wire wire(fd, std::exchange(in.buffer, {}));
    reply.then(wire);
  }
  if (reply.then_silent) in.exactly(std::string::npos);  // until the other side has gone, or the test is over
  // Whoever still sends a body should find it unread, not refused: that is the harder case for a client.
  shutdown(fd, route.early ? SHUT_WR : SHUT_RDWR);
}

FakeDocker::Route FakeDocker::route_for(const Seen& seen) const {
  const std::lock_guard lock(mutex_);
  if (!seen.version.empty()) {
    const auto asked = api::parse_api_version(seen.version).value();
    if (asked > api::parse_api_version(newest_).value())
      return {{}, [newest = newest_](const Seen& request) {
                return Reply::error(400, "client version " + request.version +
                                             " is too new. Maximum supported API version is " + newest);
              }};
    if (asked < api::parse_api_version(oldest_).value())
      return {{}, [oldest = oldest_](const Seen& request) {
                return Reply::error(400, "client version " + request.version +
                                             " is too old. Minimum supported API version is " + oldest +
                                             ", please upgrade your client to a newer version");
              }};
  }
  for (const auto& route : routes_)
    if (fits(route.pattern, seen.route())) return route;
  if (seen.route() == "GET /_ping")
    return {{}, [newest = newest_](const Seen&) {
              return Reply::raw("HTTP/1.1 200 OK\r\nApi-Version: " + newest +
                                "\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nOK");
            }};
  return {{}, [](const Seen&) { return Reply::error(404, "page not found"); }};
}

void FakeDocker::on(std::string route, Reply reply) {
  const std::lock_guard lock(mutex_);
  const bool early = reply.refuses_body;
  routes_.push_front({std::move(route), [reply = std::move(reply)](const Seen&) { return reply; }, early});
}

void FakeDocker::on(std::string route, Script script) {
  const std::lock_guard lock(mutex_);
  routes_.push_front({std::move(route), std::move(script)});
}

void FakeDocker::on(std::string route, std::vector<Reply> replies) {
  auto next = std::make_shared<std::atomic<std::size_t>>(0);
  on(std::move(route), [next, replies = std::move(replies)](const Seen&) {
    return replies[std::min(next->fetch_add(1), replies.size() - 1)];
  });
}

void FakeDocker::speak(std::string newest, std::string oldest) {
  const std::lock_guard lock(mutex_);
  newest_ = std::move(newest);
  oldest_ = std::move(oldest);
}

std::vector<Seen> FakeDocker::seen() const {
  const std::lock_guard lock(mutex_);
  return seen_;
}

std::vector<Seen> FakeDocker::seen(std::string_view route) const {
  auto out = seen();
  std::erase_if(out, [&](const Seen& item) { return !fits(route, item.route()); });
  return out;
}

void FakeDocker::wait_for_seen(std::string_view route, std::size_t count) {
  std::unique_lock lock(mutex_);
  seen_more_.wait_for(lock, std::chrono::seconds(30), [&] {
    return static_cast<std::size_t>(
               std::ranges::count_if(seen_, [&](const Seen& item) { return fits(route, item.route()); })) >= count;
  });
}

}  // namespace hotcell::docker
