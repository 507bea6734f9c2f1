// From rule files to rules.
#pragma once
#include <array>
#include <string_view>
#include <vector>

#include "validate/rules.h"

namespace hotcell::validate {

Expected<std::vector<Rule>> load_builtin_rules(protocol::Language language);

// A file of the operator's: rules with a new id are added, those with a known one change the members that they name.
Expected<void> load_rules_over(std::string_view text, std::string_view file, std::array<std::vector<Rule>, 3>& rules,
                               std::vector<Policy>& policies);

}  // namespace hotcell::validate
