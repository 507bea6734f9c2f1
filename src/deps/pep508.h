// A requirement of a Python package as PEP 508 writes it: name, extras, versions, marker.
#pragma once
#include <string>
#include <string_view>

#include "deps/requirement.h"

namespace hotcell::deps {

// The error is half a sentence: what is wrong, for the caller to put the requirement before.
std::expected<Requirement, std::string> parse_pep508(std::string_view text);

}  // namespace hotcell::deps
