// A client that sends exactly the bytes that a test wrote down, and reads what comes.
#pragma once
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>

#include "base/deadline.h"
#include "base/fd.h"

namespace hotcell::server {

// A folder that goes with the test.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    char name[] = "/tmp/hotcell-server-XXXXXX";
    path_ = mkdtemp(name);
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

struct Answer {
  int status = 0;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;                            // without its chunks
  bool whole = false;                          // false: the connection ended, or nothing came in time
};

class RawClient {
 public:
  explicit RawClient(const std::filesystem::path& path) : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un to{};
    to.sun_family = AF_UNIX;
    std::strncpy(to.sun_path, path.c_str(), sizeof to.sun_path - 1);
    EXPECT_EQ(::connect(fd_.get(), reinterpret_cast<sockaddr*>(&to), sizeof to), 0) << std::strerror(errno);
  }

  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;  // a server may have hung up: what it said is what counts
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }
  void send_nothing_more() { ::shutdown(fd_.get(), SHUT_WR); }
  void close() { fd_.reset(); }
  int fd() const { return fd_.get(); }

  // Of the next answer only what comes before its body.
  Answer head() {
    Answer out;
    const auto line_end = [&] { return buffer_.find("\r\n\r\n"); };
    while (line_end() == buffer_.npos)
      if (!more()) return out;
    const auto end = line_end();
    std::string_view text(buffer_);
    text = text.substr(0, end);
    out.status = std::atoi(std::string(text.substr(9, 3)).c_str());
    for (auto at = text.find("\r\n"); at != text.npos;) {
      const auto next = text.find("\r\n", at + 2);
      const auto line = text.substr(at + 2, next == text.npos ? text.npos : next - at - 2);
      std::string name(line.substr(0, line.find(':')));
      for (auto& c : name) c = static_cast<char>(std::tolower(c));
      out.headers[name] = line.substr(line.find(':') + 2);
      at = next;
    }
    buffer_.erase(0, end + 4);
    return out.status == 100 ? head() : out;
  }

  // The next answer; `of_head`: it belongs to a HEAD request.
  Answer receive(bool of_head = false) {
    Answer out = head();
    if (out.status == 0) return out;
    if (of_head || out.status == 204) {
      out.whole = true;
    } else if (out.headers.contains("content-length")) {
      const auto size = std::stoull(out.headers["content-length"]);
      while (buffer_.size() < size)
        if (!more()) return out;
      out.body = buffer_.substr(0, size);
      buffer_.erase(0, size);
      out.whole = true;
    } else if (out.headers.contains("transfer-encoding")) {
      for (std::string piece; next_chunk(piece);) {
        if (piece.empty()) {
          out.whole = true;
          break;
        }
        out.body += piece;
      }
    } else {
      while (more()) continue;
      out.body = std::exchange(buffer_, {});
      out.whole = ended_;
    }
    return out;
  }

  // One chunk of a chunked body; empty: the last one. False: there is none.
  bool next_chunk(std::string& piece) {
    for (;;) {
      const auto line = buffer_.find("\r\n");
      if (line != buffer_.npos) {
        const auto size = std::stoull(buffer_.substr(0, line), nullptr, 16);
        if (buffer_.size() >= line + 2 + size + 2) {
          piece = buffer_.substr(line + 2, size);
          buffer_.erase(0, line + 2 + size + 2);
          return true;
        }
      }
      if (!more()) return false;
    }
  }

  // True when the server has closed and sent nothing before.
  bool ended() {
    while (more()) continue;
    return ended_ && buffer_.empty();
  }

 private:
  bool more() {
    pollfd wait{fd_.get(), POLLIN, 0};
    if (::poll(&wait, 1, 10'000) <= 0) return false;
    char bytes[65536];
    const auto got = ::recv(fd_.get(), bytes, sizeof bytes, 0);
    if (got <= 0) {
      ended_ = true;
      return false;
    }
    buffer_.append(bytes, static_cast<std::size_t>(got));
    return true;
  }

  Fd fd_;
  std::string buffer_;
  bool ended_ = false;
};

}  // namespace hotcell::server
