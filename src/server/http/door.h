// Who answers requests: what the HTTP server asks of the rest of the program.
#pragma once
#include <memory>
#include <optional>
#include <string>

#include "server/http/exchange.h"

namespace hotcell::server::http {

// Called on the server's loop, so nothing here may wait.
class Door {
 public:
  virtual ~Door() = default;
  // The headers are here, the body is not. An answer here means that the body is not wanted.
  virtual std::optional<Response> at_headers(Exchange& exchange) = 0;
  // The whole request is here. The answer may come later, from any thread.
  virtual void handle(std::shared_ptr<Exchange> exchange) = 0;
  // A request that was no request (see RequestParser), or that took too long to come.
  virtual Response refuse(Exchange& exchange, protocol::Problem problem) = 0;
  // The answer has been given, as far as the client took it.
  virtual void answered(Exchange& exchange, const Response& response, std::uint64_t bytes) = 0;
  // Something broke inside the server itself: one sentence for the log.
  virtual void broke(const std::string& what) = 0;
};

}  // namespace hotcell::server::http
