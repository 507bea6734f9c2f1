// One HTTP request and its answer, as the rest of the server sees them: plain values, nothing of sockets.
#pragma once
#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/problem.h"

namespace hotcell::server::http {

// Who is at the other end.
struct Peer {
  bool unix_socket = false;
  std::optional<uid_t> uid;  // of a unix socket: whoever connected, as the kernel says
  std::string address;       // "127.0.0.1:4711"; empty for a unix socket
  bool health_only = false;  // it came by an address that is for looking after the service only
};

struct Request {
  std::string method;                                        // as sent: "GET"
  std::string path;                                          // percent-encoded, without the query: "/v1/execute"
  std::string query;                                         // percent-encoded, without its question mark
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
  std::optional<std::uint64_t> content_length;
  bool has_body = false;
  bool http_1_1 = true;
  bool keep_alive = true;
  std::string body;

  const std::string* header(std::string_view lower_case_name) const;  // the first one; nullptr: there is none
  // A parameter of the query, decoded; nullopt: absent, or not decodable.
  std::optional<std::string> parameter(std::string_view name) const;
};

// Where a streamed answer comes from. Pulled on the server's loop whenever the client can take more, so that a slow
// client is felt where the bytes are made and never in memory.
class Source {
 public:
  virtual ~Source() = default;
  enum class State { more, waiting, finished };
  // Appends what there is, about `most` bytes of it. "waiting": nothing now; Exchange::wake() tells of more.
  virtual State pull(std::string& out, std::size_t most) = 0;
  // How long to wait for more after the first of it has come, so that many small pieces are sent as one.
  virtual std::chrono::microseconds gather() const { return {}; }
  // Nothing has come for a while: something for the client to see that we are here. May stay empty.
  virtual void keepalive(std::string& out) { (void)out; }
};

struct Response {
  int status = 200;
  std::string content_type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers;
  std::shared_ptr<const std::string> body;  // nullptr: none
  std::shared_ptr<Source> source;           // instead of a body
  bool close = false;                       // end the connection after this answer
  std::string code;                         // of a problem: for logs and metrics

  static Response json(std::string body, int status = 200);
  static Response text(std::string body, std::string content_type = "text/plain; charset=utf-8", int status = 200);
  // RFC 9457. Adds Retry-After where the problem has one.
  static Response problem(const protocol::Problem& problem, std::optional<unsigned> retry_after = std::nullopt);
  static Response problem(std::string code, std::string detail, std::string hint = {});
};

// "HTTP/1.1 200 OK\r\n…\r\n\r\n", with `more` lines. With a source and HTTP/1.1 the body is chunked; HTTP/1.0 gets it
// until the connection ends.
void write_head(std::string& out, const Response& response, const Request* request, bool keep_alive,
                std::string_view date, std::string_view more = {});
void write_chunk(std::string& out, std::string_view bytes);
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

std::string_view reason_phrase(int status);
std::string http_date(std::chrono::system_clock::time_point time);

}  // namespace hotcell::server::http
