// A client of the service, as plain as can be: one connection, one request at a time, blocking.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/deadline.h"
#include "base/error.h"
#include "base/fd.h"

namespace hotcell::cli {

class HttpClient {
 public:
  // "unix:PATH" or "http://IP:PORT".
  static Expected<HttpClient> connect(const std::string& url, Deadline deadline);

  struct Answer {
    int status = 0;
    std::string content_type;
    std::string body;
  };
  // `piece` gets the body of a 2xx as it comes, instead of the answer; false ends it.
  Expected<Answer> send(std::string_view method, std::string_view path, std::string_view body, Deadline deadline,
                        const std::function<bool(std::string_view)>& piece = nullptr);

  std::string token;   // sent with every request, if there is one
  std::string accept;  // "application/x-ndjson"; empty: what there is

 private:
  explicit HttpClient(Fd fd) : fd_(std::move(fd)) {}
  Expected<void> write(std::string_view bytes, Deadline deadline);
  Expected<void> read_more(Deadline deadline);  // at least one byte
  Expected<std::string_view> line(Deadline deadline);
  Expected<void> take(std::size_t size, Deadline deadline, const std::function<bool(std::string_view)>& out);

  Fd fd_;
  std::string buffer_;
  std::size_t at_ = 0;  // what comes before has been used
};

}  // namespace hotcell::cli
