// Versions and version specifiers of Python packages, as PEP 440 spells them.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace hotcell::deps {

// "v1.0-Alpha.1" -> "1.0a1". nullopt: not a version. Numbers keep their digits, so nothing can overflow.
std::optional<std::string> normalize_pep440_version(std::string_view version);

// "== 1.0.0" -> "==1": two specifiers that accept the same versions by way of spelling become the same text. The error
// is half a sentence, for the caller to put the requirement before.
std::expected<std::string, std::string> normalize_pep440_specifier(std::string_view specifier);

}  // namespace hotcell::deps
