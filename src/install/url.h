// The URL of an index, a registry or a proxy, taken apart.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"

namespace hotcell::install {

struct Url {
  std::string scheme, host, path;  // the path with its slash and its query
  std::uint16_t port = 0;          // the scheme's own where the URL names none
  bool port_named = false;
  std::string login, password;  // decoded; empty: none

  // http or https only. The error is half a sentence.
  static std::expected<Url, std::string> parse(std::string_view text);

  std::string authority() const { return host + (port_named ? ":" + std::to_string(port) : ""); }
  std::string without_credentials() const { return scheme + "://" + authority() + path; }
};

}  // namespace hotcell::install
