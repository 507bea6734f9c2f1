// A requirement of a Node package as npm writes it: "name", "@scope/name", each with "@range" or "@tag".
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "deps/requirement.h"

namespace hotcell::deps {

// The error is half a sentence: what is wrong, for the caller to put the requirement before.
std::expected<Requirement, std::string> parse_npm_spec(std::string_view text);

// "1.2.3-rc.1+build" -> "1.2.3-rc.1": a complete version, as a lock holds it. nullopt: not one.
std::optional<std::string> normalize_npm_version(std::string_view version);

}  // namespace hotcell::deps
