// Percent-encoding of URLs (RFC 3986).
#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace hotcell::protocol {

std::string percent_encoded_path(std::string_view path);  // its slashes are kept
// nullopt where "%" is not followed by two hex digits, or what comes out has a NUL.
std::optional<std::string> percent_decoded(std::string_view text);

}  // namespace hotcell::protocol
