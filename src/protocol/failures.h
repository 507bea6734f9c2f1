// What every engine says in the same words when a run fails.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "protocol/result.h"

namespace hotcell::protocol {

Failure failure(std::string code, std::string kind, std::string message, std::string hint = {});
// Of the kind "limit"; `which` as in Failure::limit.
Failure limit_met(std::string code, std::string which, std::string message, std::string hint);

Failure memory_limit_met(const Limits& limits, const std::string& used = {});
Failure disk_limit_met(const Limits& limits);
Failure result_limit_met(const Limits& limits, const Outcome& otherwise);
Failure timed_out(double timeout_seconds);
Failure cpu_limit_met(const Limits& limits, const std::string& used = {});
Outcome cancelled(const Limits& limits = {});
Outcome lost(std::string_view place, std::string_view how, const Limits& limits = {});  // place: "cell", "worker"

std::string seconds_text(double seconds);
std::string size_text(std::uint64_t bytes);

}  // namespace hotcell::protocol
