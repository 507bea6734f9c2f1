#include "cli/http_client.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <charconv>
#include <cstring>

#include "server/http/listen.h"

namespace hotcell::cli {

namespace {

constexpr std::size_t kLongestLine = 64u << 10;
constexpr std::size_t kLongestBody = std::size_t{1} << 30;

bool wait_for(int fd, short what, Deadline deadline) {
  for (;;) {
    pollfd wait{fd, what, 0};
    const int ready = ::poll(&wait, 1, deadline.poll_ms());
    if (ready > 0) return true;
    if (ready == 0 || errno != EINTR) return false;
  }
}

std::unexpected<Error> lost(const char* how) {
  return fail("service_lost", std::string("the service ") + how, "is it still running? see its log");
}

bool is_header(std::string_view line, std::string_view name, std::string_view& value) {
  if (line.size() <= name.size() || line[name.size()] != ':' ||
      ::strncasecmp(line.data(), name.data(), name.size()) != 0)
    return false;
  value = line.substr(name.size() + 1);
  while (value.starts_with(' ')) value.remove_prefix(1);
  return true;
}

}  // namespace

Expected<HttpClient> HttpClient::connect(const std::string& url, Deadline deadline) {
  const auto address = server::http::parse_address(url);
  if (!address) return std::unexpected(address.error());
  sockaddr_storage where{};
  socklen_t size = 0;
  if (address->is_unix()) {
    auto& local = reinterpret_cast<sockaddr_un&>(where);
    local.sun_family = AF_UNIX;
    std::memcpy(local.sun_path, address->path.data(), address->path.size());
    size = sizeof local;
  } else if (auto& v4 = reinterpret_cast<sockaddr_in&>(where);
             ::inet_pton(AF_INET, address->ip.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(address->port);
    size = sizeof v4;
  } else {
    auto& v6 = reinterpret_cast<sockaddr_in6&>(where);
    ::inet_pton(AF_INET6, address->ip.c_str(), &v6.sin6_addr);
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(address->port);
    size = sizeof v6;
  }
  Fd fd(::socket(where.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return fail_errno("cannot make a socket");
  const int one = 1;
  if (!address->is_unix()) ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  int error = ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&where), size) == 0 ? 0 : errno;
  // EAGAIN: the queue of a unix socket is full for the moment.
  while (error == EAGAIN && !deadline.passed()) {
    wait_for(fd.get(), 0, deadline.sooner(Deadline::after(std::chrono::milliseconds(5))));
    error = ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&where), size) == 0 ? 0 : errno;
  }
  if (error == EINPROGRESS) {
    if (!wait_for(fd.get(), POLLOUT, deadline)) return lost("did not answer in time");
    socklen_t length = sizeof error;
    ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &length);
  }
  if (error) return fail_errno("cannot connect to " + address->text(), error, "start the service: hotcelld");
  return HttpClient(std::move(fd));
}

Expected<void> HttpClient::write(std::string_view bytes, Deadline deadline) {
  while (!bytes.empty()) {
    const auto sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    } else if (errno == EAGAIN) {
      // It may have answered, and not want the rest.
      if (!wait_for(fd_.get(), POLLOUT, deadline)) return lost("does not read what it is sent");
    } else if (errno == EPIPE || errno == ECONNRESET) {
      return {};  // what it said before that is to be read
    } else if (errno != EINTR) {
      return fail_errno("cannot write to the service");
    }
  }
  return {};
}

Expected<void> HttpClient::read_more(Deadline deadline) {
  if (at_ == buffer_.size()) {
    buffer_.clear();
    at_ = 0;
  }
  char bytes[65536];
  for (;;) {
    const auto got = ::recv(fd_.get(), bytes, sizeof bytes, 0);
    if (got > 0) {
      buffer_.append(bytes, static_cast<std::size_t>(got));
      return {};
    }
    if (got == 0) return lost("has closed the connection");
    if (errno == EAGAIN) {
      if (!wait_for(fd_.get(), POLLIN, deadline)) return lost("did not answer in time");
    } else if (errno != EINTR) {
      return fail_errno("cannot read from the service");
    }
  }
}

// Without its end. Good until the next read.
Expected<std::string_view> HttpClient::line(Deadline deadline) {
  for (;;) {
    const auto end = buffer_.find("\r\n", at_);
    if (end != buffer_.npos) {
      const auto text = std::string_view(buffer_).substr(at_, end - at_);
      at_ = end + 2;
      return text;
    }
    if (buffer_.size() - at_ > kLongestLine) return lost("does not speak HTTP");
    const auto kept = buffer_.substr(at_);
    buffer_ = kept;
    at_ = 0;
    if (auto more = read_more(deadline); !more) return std::unexpected(more.error());
  }
}

Expected<void> HttpClient::take(std::size_t size, Deadline deadline, const std::function<bool(std::string_view)>& out) {
  while (size > 0) {
    if (at_ == buffer_.size())
      if (auto more = read_more(deadline); !more) return more;
    const auto piece = std::string_view(buffer_).substr(at_, size);
    at_ += piece.size();
    size -= piece.size();
    if (!out(piece)) return fail("stopped", "the answer was not read to its end");
  }
  return {};
}

Expected<HttpClient::Answer> HttpClient::send(std::string_view method, std::string_view path, std::string_view body,
                                              Deadline deadline, const std::function<bool(std::string_view)>& piece) {
  std::string head;
  head.reserve(256);
  head.append(method).append(" ").append(path).append(" HTTP/1.1\r\nHost: localhost\r\n");
  if (!body.empty())
    head.append("Content-Type: application/json\r\nContent-Length: ")
        .append(std::to_string(body.size()))
        .append("\r\n");
  if (!token.empty()) head.append("Authorization: Bearer ").append(token).append("\r\n");
  if (!accept.empty()) head.append("Accept: ").append(accept).append("\r\n");
  head += "\r\n";
  if (body.size() < 65536) {
    head += body;
    body = {};
  }
  for (const auto part : {std::string_view(head), body})
    if (auto written = write(part, deadline); !written) return std::unexpected(written.error());

  Answer answer;
  std::optional<std::size_t> size;
  bool chunked = false;
  auto status = line(deadline);
  if (!status) return std::unexpected(status.error());
  if (!status->starts_with("HTTP/1.1 ") || status->size() < 12) return lost("does not speak HTTP");
  std::from_chars(status->data() + 9, status->data() + 12, answer.status);
  for (;;) {
    auto text = line(deadline);
    if (!text) return std::unexpected(text.error());
    if (text->empty()) break;
    std::string_view value;
    if (is_header(*text, "Content-Length", value)) {
      std::size_t number = 0;
      std::from_chars(value.data(), value.data() + value.size(), number);
      size = number;
    } else if (is_header(*text, "Transfer-Encoding", value)) {
      chunked = value == "chunked";
    } else if (is_header(*text, "Content-Type", value)) {
      answer.content_type = value;
    }
  }
  const bool pass_on = piece && answer.status / 100 == 2;
  const auto out = [&](std::string_view bytes) {
    if (pass_on) return piece(bytes);
    answer.body += bytes;
    return answer.body.size() <= kLongestBody;
  };
  if (!chunked) {
    if (auto done = take(size.value_or(0), deadline, out); !done) return std::unexpected(done.error());
    return answer;
  }
  for (;;) {
    auto text = line(deadline);
    if (!text) return std::unexpected(text.error());
    std::size_t length = 0;
    if (std::from_chars(text->data(), text->data() + text->size(), length, 16).ec != std::errc{})
      return lost("does not speak HTTP");
    if (length > 0)
      if (auto done = take(length, deadline, out); !done) return std::unexpected(done.error());
    if (auto end = line(deadline); !end) return std::unexpected(end.error());
    if (length == 0) return answer;
  }
}

}  // namespace hotcell::cli
