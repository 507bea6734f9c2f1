// From what uv and npm say to what a caller is told: a stable code, which package, why, and what to do.
//
// What they say was partly written by strangers (reasons of a withdrawal, words of an index), so it is cut, and cleaned
// of what would confuse a terminal.
#pragma once
#include <string>
#include <string_view>

#include "base/error.h"
#include "deps/key.h"

namespace hotcell::install {

// `log` is uv's stderr, without secrets already.
Error explain_uv(std::string_view log, const deps::Target& target);

// `json` is npm's stdout, `log` its stderr.
Error explain_npm(std::string_view json, std::string_view log);

// The last lines of a log, as they may stand in a message.
std::string log_tail(std::string_view log);

}  // namespace hotcell::install
