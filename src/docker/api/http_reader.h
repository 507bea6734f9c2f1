// One HTTP/1.1 answer, out of bytes as they arrive. Knows nothing of sockets, so that a fuzzer can feed it.
//
// Head and body are asked for apart: an answer that turns the connection into a raw stream has a head, and then bytes
// that are nobody's body.
#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"

namespace hotcell::docker::api {

class HttpReader {
 public:
  static constexpr std::size_t kMaxHead = 64 << 10;

  HttpReader();
  ~HttpReader();

  // Takes in what has arrived. Error "docker_protocol": it cannot be the head of an answer, or is larger than kMaxHead.
  Expected<void> feed(std::string_view bytes);
  // Any byte was fed.
  bool begun() const { return begun_; }

  bool head_done() const;
  // After the head:
  int status() const;
  const std::string& api_version() const;  // of the Api-Version field; empty: there is none
  const std::string& content_type() const;

  // Appends to `out` what can be decoded of the body by now.
  Expected<void> decode(std::string& out);
  bool done() const;  // head and body are complete
  // The connection was closed: the end of a body that goes on until then, otherwise "docker_unreachable".
  Expected<void> end();

  // The bytes that were fed and are not decoded.
  std::string take_rest();

 private:
  class Parser;

  // Lets the parser see what has come, up to the end of the head or as far as it goes.
  Expected<void> parse(bool head_only);

  std::unique_ptr<Parser> parser_;
  std::string rest_;  // fed, and not used by the parser yet
  bool begun_ = false;
};

}  // namespace hotcell::docker::api
