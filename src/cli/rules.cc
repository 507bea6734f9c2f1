#include "cli/rules.h"

#include "base/file.h"
#include "protocol/nearest.h"

namespace hotcell::cli {

Expected<exec::ReadingRules> reading_rules(const Settings& settings) {
  exec::ReadingRules rules;
  if (!settings.check_rules.empty()) {
    auto own = validate::RuleSet::with_file(settings.check_rules);
    if (!own) return std::unexpected(own.error());
    rules.rules = std::move(*own);
  }
  if (auto known = require_policy(rules.rules, settings.check_policy); !known) return std::unexpected(known.error());
  for (const auto& [host, guest] : settings.wasi.allowed_paths) rules.allowed_paths.push_back(guest);
  rules.packages = settings.packages;
  if (!settings.package_map.empty()) {
    const auto text = read_file(settings.package_map, 1u << 20);
    if (!text) return std::unexpected(text.error());
    auto map = deps::PackageMap::with_user_file(*text, settings.package_map.string());
    if (!map) return std::unexpected(map.error());
    rules.package_map = std::move(*map);
  }
  return rules;
}

Expected<void> require_policy(const validate::RuleSet& rules, const std::string& policy) {
  if (rules.has_policy(policy)) return {};
  const auto known = rules.policies();
  return fail("invalid_field", "there is no policy \"" + policy + "\"", protocol::suggestion(policy, known));
}

}  // namespace hotcell::cli
