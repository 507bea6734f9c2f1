#include "install/url.h"

#include <algorithm>
#include <charconv>

#include "protocol/percent.h"

namespace hotcell::install {
namespace {

bool is_host(std::string_view host) {
  return !host.empty() && host.size() <= 253 && std::ranges::all_of(host, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
           c == '_';
  });
}

}  // namespace

std::expected<Url, std::string> Url::parse(std::string_view text) {
  Url url;
  const auto colon = text.find("://");
  url.scheme = text.substr(0, colon);
  if (colon == text.npos || (url.scheme != "http" && url.scheme != "https"))
    return std::unexpected("must begin with https:// or http://");
  if (std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == 127; }))
    return std::unexpected("must not have spaces in it");
  text.remove_prefix(colon + 3);
  auto authority = text.substr(0, text.find_first_of("/?#"));
  url.path = text.substr(authority.size());
  if (const auto at = authority.rfind('@'); at != authority.npos) {
    const auto user = authority.substr(0, at);
    const auto middle = std::min(user.find(':'), user.size());
    const auto login = protocol::percent_decoded(user.substr(0, middle));
    const auto password = protocol::percent_decoded(user.substr(std::min(middle + 1, user.size())));
    if (!login || !password) return std::unexpected("has credentials that cannot be read");
    url.login = *login;
    url.password = *password;
    authority.remove_prefix(at + 1);
  }
  if (authority.starts_with('[')) return std::unexpected("names an IPv6 address, and builders have IPv4 only");
  const auto port = authority.find(':');
  url.host = authority.substr(0, port);
  url.port = url.scheme == "https" ? 443 : 80;
  url.port_named = port != authority.npos;
  if (url.port_named) {
    const auto digits = authority.substr(port + 1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), url.port);
    if (error != std::errc() || end != digits.data() + digits.size() || url.port == 0)
      return std::unexpected("has a port that is no number");
  }
  if (!is_host(url.host)) return std::unexpected("names no host");
  return url;
}

}  // namespace hotcell::install
