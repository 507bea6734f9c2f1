#include "server/access.h"

#include <arpa/inet.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>

namespace hotcell::server {

using protocol::make_problem;

namespace {

constexpr std::size_t kMostLocalTenants = 4096;

// "host:port", "[v6]:port", "host" -> host, in lower case, without brackets.
std::string host_of(std::string_view text) {
  std::string out;
  if (text.starts_with('['))
    out = text.substr(1, text.find(']') - 1);
  else
    out = text.substr(0, text.find(':'));
  std::ranges::transform(out, out.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

bool is_number(const std::string& host) {
  in_addr v4{};
  in6_addr v6{};
  return inet_pton(AF_INET, host.c_str(), &v4) == 1 || inet_pton(AF_INET6, host.c_str(), &v6) == 1;
}

std::string_view presented(const http::Request& request) {
  constexpr std::string_view kScheme = "bearer ";
  if (const auto* header = request.header("authorization")) {
    std::string_view text(*header);
    const bool bearer =
        text.size() > kScheme.size() && std::ranges::equal(text.substr(0, kScheme.size()), kScheme, {},
                                                           [](unsigned char c) { return std::tolower(c); });
    return bearer ? text.substr(kScheme.size()) : std::string_view(" ");  // there, and no token of ours
  }
  if (const auto* header = request.header("x-api-key")) return header->empty() ? std::string_view(" ") : *header;
  return {};
}

}  // namespace

Access::Access(AccessOptions options, UsageBook& usage) : options_(std::move(options)), usage_(usage) {
  for (const auto& token : options_.tokens)
    tokens_.push_back(
        {token.sha256, std::make_shared<Tenant>(token.name, token.limits, token.operates, usage_.of(token.name))});
}

bool Access::is_allowed_origin(std::string_view origin, const http::Request& request) const {
  if (std::ranges::find(options_.allowed_origins, origin) != options_.allowed_origins.end()) return true;
  // Our own page: it came from where its request goes, and the Host has been looked at before.
  const auto* host = request.header("host");
  return host && origin == "http://" + *host;
}

std::optional<protocol::Problem> Access::check_origin(const http::Request& request, const http::Peer& peer) const {
  if (!peer.unix_socket) {
    const auto* header = request.header("host");
    const auto host = header ? host_of(*header) : std::string();
    // HTTP/1.0 clients send none; browsers do.
    const bool known = !header || host == "localhost" || is_number(host) ||
                       std::ranges::find(options_.allowed_hosts, host) != options_.allowed_hosts.end();
    if (!known)
      return make_problem("forbidden", "the service is not known by this Host name",
                          "use its IP address, or add the name to allowed_hosts");
  }
  const auto* origin = request.header("origin");
  if (origin && !is_allowed_origin(*origin, request))
    return make_problem("origin_forbidden", "web pages of this origin may not use the service",
                        "add it to allowed_origins");
  return std::nullopt;
}

std::shared_ptr<Tenant> Access::local_tenant(const std::string& name, bool operates) const {
  if (local_.size() >= kMostLocalTenants && !local_.contains(name)) local_.clear();
  auto& tenant = local_[name];
  if (!tenant) tenant = std::make_shared<Tenant>(name, options_.local, operates, usage_.of(name));
  return tenant;
}

std::expected<std::shared_ptr<Tenant>, protocol::Problem> Access::tenant_of(const http::Request& request,
                                                                            const http::Peer& peer) const {
  if (const auto token = presented(request); !token.empty()) {
    const auto digest = sha256(token);
    std::shared_ptr<Tenant> found;
    for (const auto& known : tokens_)  // all of them, each in constant time
      if (equal_in_constant_time(known.sha256, digest)) found = known.tenant;
    if (found) return found;
    return std::unexpected(
        make_problem("unauthenticated", "the token is not known", "check Authorization or X-API-Key"));
  }
  if (peer.unix_socket && peer.uid) {
    const auto& uids = options_.unix_uids;
    if (uids && std::ranges::find(*uids, *peer.uid) == uids->end())
      return std::unexpected(
          make_problem("forbidden", "user " + std::to_string(*peer.uid) + " may not use the service"));
    // Who could stop or change the service anyway may look after it, too.
    return local_tenant("unix:" + std::to_string(*peer.uid), *peer.uid == 0 || *peer.uid == geteuid());
  }
  if (!tokens_.empty() || peer.unix_socket)
    return std::unexpected(make_problem("unauthenticated", "a token is needed",
                                        "send it as \"Authorization: Bearer …\" or \"X-API-Key: …\""));
  return local_tenant("tcp:local", false);
}

Expected<void> allowed_to_listen(const http::Address& address, bool has_tokens) {
  if (address.is_loopback() || has_tokens) return {};
  return fail("invalid_config",
              "hotcelld does not listen at " + address.text() + " without tokens: everybody could run programs",
              "make a token (hotcell token add NAME), or listen at 127.0.0.1");
}

}  // namespace hotcell::server
