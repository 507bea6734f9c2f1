// Points in time as text: RFC 3339 in UTC with milliseconds, "2026-11-21T10:15:00.123Z".
#pragma once
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace hotcell::protocol {

std::string to_timestamp(std::chrono::system_clock::time_point time);
std::optional<std::chrono::system_clock::time_point> from_timestamp(std::string_view text);  // exactly that form

}  // namespace hotcell::protocol
