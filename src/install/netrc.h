// Credentials as netrc files have them.
#pragma once
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace hotcell::install {

struct Login {
  std::string host, login, password;
};

// The `machine` entries. What else stands there (default, macdef, account) is read over. The error is half a sentence.
std::expected<std::vector<Login>, std::string> parse_netrc(std::string_view text);

}  // namespace hotcell::install
