// Base64 of RFC 4648 section 4, and nothing looser: a decoder that skips spaces, takes missing padding or stray bits
// lets two texts mean one file, and hides a truncated upload.
#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace hotcell::protocol {

std::string base64_encode(std::string_view bytes);
std::optional<std::string> base64_decode(std::string_view text);  // nullopt: not canonical base64

}  // namespace hotcell::protocol
