// Who may speak to the service.
//
// A token says whose programs they are. Over the unix socket the kernel says it: whoever the socket's file mode lets
// connect is the user that it runs as. Over TCP a token is needed as soon as there are any; without tokens the service
// only listens at loopback addresses, see allowed_to_listen().
//
// A web page in a browser on this machine can reach loopback addresses too, and by a name that it controls (DNS
// rebinding) even read the answers. So a request that carries an Origin must come from an allowed one, and over TCP the
// Host must be a number, localhost, or a name that the operator has listed.
#pragma once
#include <expected>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/http/listen.h"
#include "server/http/message.h"
#include "server/tokens.h"
#include "server/usage.h"

namespace hotcell::server {

struct AccessOptions {
  std::vector<Token> tokens;
  std::vector<std::string> allowed_origins;     // "https://example.com"
  std::vector<std::string> allowed_hosts;       // "hotcell.internal"
  std::optional<std::vector<uid_t>> unix_uids;  // nullopt: everybody who can connect
  TenantLimits local;                           // of those without a token
};

// Does not change: a reload makes a new one. For the loop only.
class Access {
 public:
  Access(AccessOptions options, UsageBook& usage);

  // Problems: origin_forbidden, forbidden (the Host). For every route.
  std::optional<protocol::Problem> check_origin(const http::Request& request, const http::Peer& peer) const;
  // Problems: unauthenticated, forbidden.
  std::expected<std::shared_ptr<Tenant>, protocol::Problem> tenant_of(const http::Request& request,
                                                                      const http::Peer& peer) const;
  bool has_tokens() const { return !tokens_.empty(); }
  bool is_allowed_origin(std::string_view origin, const http::Request& request) const;

 private:
  struct Known {
    Digest sha256;
    std::shared_ptr<Tenant> tenant;
  };
  std::shared_ptr<Tenant> local_tenant(const std::string& name, bool operates) const;

  const AccessOptions options_;
  UsageBook& usage_;
  std::vector<Known> tokens_;
  mutable std::map<std::string, std::shared_ptr<Tenant>, std::less<>> local_;
};

// An address that others than this machine can reach needs tokens.
Expected<void> allowed_to_listen(const http::Address& address, bool has_tokens);

}  // namespace hotcell::server
