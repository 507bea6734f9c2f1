// How hotcell speaks to a person: one plain sentence, then what to do.
#pragma once
#include <cstdio>

#include "base/error.h"
#include "protocol/engine.h"

namespace hotcell::cli {

inline constexpr int kRefused = 125;  // hotcell's own error, or a refusal

enum class LogLevel { quiet, error, warn, info, debug };

// Prints "hotcell: sentence" and the hint to stderr; returns kRefused.
int complain(const Error& error);

// Ctrl-C and SIGTERM stop the run instead of leaving it behind. Returns the token that they set; it lives as long as
// the process.
protocol::StopToken& stop_on_signals();

// Writes all of it to a descriptor; a reader that is gone is no error of ours.
void put(int fd, std::string_view bytes);

}  // namespace hotcell::cli
