// What constant strings become: the operations by which programs spell out a name that they don't want read.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hotcell::validate {

// The inside of a string literal with its escapes resolved: \n, \x41, \101, \u0041, \U0001F600, \u{1F600}, and a
// backslash before a line's end. What is no escape stays, with its backslash if `keep_unknown` (Python, not
// JavaScript).
std::string unescaped(std::string_view text, bool keep_unknown);
void append_utf8(std::string& out, std::uint32_t code_point);
std::string reversed(std::string_view text);
std::optional<std::string> from_hex(std::string_view text);
std::optional<std::string> from_base64(std::string_view text);
std::string rot13(std::string_view text);
std::string lower(std::string_view text);
std::string upper(std::string_view text);
std::string replaced(std::string_view text, std::string_view from, std::string_view to);
std::optional<long long> integer(std::string_view text);  // decimal, 0x, 0o, 0b, underscores
// Python's slices of one-byte characters; nullopt for parts left out.
std::string sliced(std::string_view text, std::optional<long long> from, std::optional<long long> to, long long step);

}  // namespace hotcell::validate
