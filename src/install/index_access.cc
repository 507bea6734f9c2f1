#include "install/index_access.h"

#include <sys/stat.h>

#include <algorithm>
#include <optional>
#include <set>

#include "base/file.h"
#include "base/hash.h"
#include "install/resolve_host.h"
#include "install/url.h"
#include "protocol/base64.h"

namespace hotcell::install {
namespace {

constexpr std::size_t kMaxCredentials = 1 << 20, kMaxAuthorities = 8 << 20;
constexpr double kLookUpSeconds = 15;
constexpr std::string_view kMask = "****";

std::unexpected<Error> wrong(const std::string& setting, const std::string& why, const std::string& hint = {}) {
  return fail("invalid_config", "the setting deps." + setting + " " + why, hint);
}

struct Named {
  std::string setting;
  Url url;
};

// Every index that the operator named.
Expected<std::vector<Named>> indexes_of(const InstallOptions& options) {
  std::vector<Named> out;
  const auto add = [&](const char* setting, const std::string& text) -> Expected<void> {
    if (text.empty()) return {};
    auto url = Url::parse(text);
    if (!url) return wrong(setting, url.error());  // not quoted: it may hold a password
    out.push_back({setting, std::move(*url)});
    return {};
  };
  if (auto added = add("index_url", options.index_url); !added) return std::unexpected(added.error());
  for (const auto& url : options.extra_index_urls)
    if (auto added = add("extra_index_urls", url); !added) return std::unexpected(added.error());
  if (auto added = add("npm_registry", options.npm_registry); !added) return std::unexpected(added.error());
  return out;
}

Expected<std::vector<Login>> logins_in(const std::filesystem::path& file) {
  struct stat st{};
  if (stat(file.c_str(), &st)) return wrong("credentials_file", "names a file that is not there: " + file.string());
  if (st.st_mode & 077)
    return wrong("credentials_file", "names a file that others may read: " + file.string(),
                 "chmod 600 " + file.string());
  const auto text = read_file(file, kMaxCredentials);
  if (!text) return std::unexpected(text.error());
  auto logins = parse_netrc(*text);
  if (!logins) return wrong("credentials_file", "names a file that is no netrc: it " + logins.error());
  return std::move(*logins);
}

// A line of netrc has no way to quote.
bool can_be_a_word(const std::string& text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) > ' '; });
}

Expected<void> open_host(IndexAccess& access, const Named& named, bool proxied, Deadline deadline) {
  const auto addresses = addresses_of(named.url.host, deadline.sooner(Deadline::after_seconds(kLookUpSeconds)));
  if (!addresses) return proxied ? Expected<void>{} : std::unexpected(addresses.error());
  if (addresses->empty() && !proxied)
    return fail("dependency_network",
                "this machine does not know the host " + named.url.host + ", which the setting deps." + named.setting +
                    " names",
                "look at the setting, and at this machine's name servers");
  for (const auto& address : *addresses) {
    if (address.starts_with("127.") && !proxied)
      return wrong(
          named.setting,
          "names this machine's loopback (" + named.url.host + "), and a builder cell has a loopback of its own",
          "let the index listen on another address of this machine, and name that");
    access.openings.push_back(address + ":" + std::to_string(named.url.port));
    if (address != named.url.host) access.hosts.push_back(named.url.host + ":" + address);
  }
  return {};
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != text.npos; at += to.size()) text.replace(at, from.size(), to);
}

}  // namespace

std::string scope_of(const InstallOptions& options) {
  const auto urls = indexes_of(options);
  bool secret = !options.credentials_file.empty();
  std::string names;
  if (urls)
    for (const auto& named : *urls) {
      secret |= !named.url.login.empty();
      names += named.url.without_credentials() + "\n";
    }
  if (!secret) return {};
  return "indexes " + hex(sha256(names));
}

Expected<IndexAccess> IndexAccess::prepare(const InstallOptions& options, Deadline deadline) {
  IndexAccess out;
  auto named = indexes_of(options);
  if (!named) return std::unexpected(named.error());
  std::vector<Login> logins;
  if (!options.credentials_file.empty()) {
    auto read = logins_in(options.credentials_file);
    if (!read) return std::unexpected(read.error());
    logins = std::move(*read);
  }
  std::optional<Url> proxy;
  if (!options.proxy.empty()) {
    auto parsed = Url::parse(options.proxy);
    if (!parsed) return wrong("proxy", parsed.error());
    proxy = std::move(*parsed);
    for (const char* name : {"http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"})
      out.env.emplace_back(name, options.proxy);
    for (const char* name : {"no_proxy", "NO_PROXY"})
      if (!options.no_proxy.empty()) out.env.emplace_back(name, options.no_proxy);
    if (!proxy->password.empty()) out.secrets.push_back(proxy->password);
  }

  std::set<std::string> given;  // hosts whose login is in the netrc already
  for (const auto& [setting, url] : *named) {
    const auto text = url.without_credentials();
    if (setting == "index_url") out.index_url = text;
    if (setting == "extra_index_urls") out.extra_index_urls.push_back(text);
    if (setting == "npm_registry") out.npm_registry = text.ends_with('/') ? text : text + "/";
    // What stands in the URL itself is meant for it more than what stands in a file.
    Login login{url.host, url.login, url.password};
    if (login.login.empty())
      if (const auto found = std::ranges::find(logins, url.host, &Login::host); found != logins.end()) login = *found;
    if (login.login.empty()) continue;
    if (!can_be_a_word(login.login) || !can_be_a_word(login.password))
      return fail("invalid_config", "the credentials for " + url.host + " lack a password, or have spaces in them");
    out.secrets.push_back(login.password);
    const auto basic = protocol::base64_encode(login.login + ":" + login.password);
    out.secrets.push_back(basic);
    if (setting == "npm_registry")
      out.npmrc += "//" + url.authority() +
                   "/:" + (login.login == "__token__" ? "_authToken=" + login.password : "_auth=" + basic) + "\n";
    else if (given.insert(url.host).second)
      out.netrc += "machine " + url.host + "\nlogin " + login.login + "\npassword " + login.password + "\n";
  }
  if (!options.ca_file.empty()) {
    auto pem = read_file(options.ca_file, kMaxAuthorities);
    if (!pem) return wrong("ca_file", "cannot be used: " + pem.error().message);
    if (pem->find("-----BEGIN CERTIFICATE-----") == pem->npos)
      return wrong("ca_file", "names a file without a certificate: " + options.ca_file.string(),
                   "certificates are expected as PEM text");
    out.ca_pem = std::move(*pem);
  }
  if (options.offline) return out;
  for (const auto& one : *named)
    if (auto opened = open_host(out, one, proxy.has_value(), deadline); !opened) return std::unexpected(opened.error());
  if (proxy)
    if (auto opened = open_host(out, {"proxy", *proxy}, false, deadline); !opened)
      return std::unexpected(opened.error());
  return out;
}

std::string IndexAccess::masked(std::string_view given) const {
  std::string text(given);
  for (const auto& secret : secrets) replace_all(text, secret, kMask);
  // Credentials of a URL that somebody else wrote: an index may give such links.
  for (std::size_t at = 0; (at = text.find("://", at)) != text.npos;) {
    at += 3;
    const auto end = text.find_first_of("/ \t\r\n\"'`<>?#", at);
    const auto sign = std::string_view(text).substr(at, end - at).rfind('@');
    if (sign != std::string_view::npos) text.replace(at, sign, kMask);
  }
  return text;
}

}  // namespace hotcell::install
