// By what rules programs are read before they run: from the settings, for every command that reads one.
#pragma once
#include <string>

#include "cli/settings.h"
#include "exec/reading.h"

namespace hotcell::cli {

Expected<exec::ReadingRules> reading_rules(const Settings& settings);
// invalid_field that names the nearest policy, where there is none of this name.
Expected<void> require_policy(const validate::RuleSet& rules, const std::string& policy);

}  // namespace hotcell::cli
