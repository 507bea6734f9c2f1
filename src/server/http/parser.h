// Bytes of a stranger -> one request, under limits that hold while it is read.
//
// Beast's basic_parser knows HTTP's grammar; this adds what a server that may stand behind a proxy must insist on, so
// that both agree where one request ends and the next begins: one Host, "chunked" as the only transfer coding and never
// beside a Content-Length, origin-form targets. Fields after a chunked body are dropped.
#pragma once
#include <memory>
#include <string_view>

#include "server/http/limits.h"
#include "server/http/message.h"

namespace hotcell::server::http {

class RequestParser {
 public:
  // The request is written to `into`; `body` is where the memory for its body is reserved.
  RequestParser(const Limits& limits, Budget::Share& body, Request& into);
  ~RequestParser();

  enum class State { nothing, head, body, complete, failed };
  // Takes what it can use of `bytes` and says how much that was. It stops after the headers, and at the end of the
  // request; what it leaves has to be given again, with more behind it.
  std::size_t feed(std::string_view bytes);
  State state() const;
  bool head_complete() const { return state() == State::body || state() == State::complete; }
  const protocol::Problem& problem() const;  // of a failed one

 private:
  class Beast;
  std::unique_ptr<Beast> beast_;
};

}  // namespace hotcell::server::http
