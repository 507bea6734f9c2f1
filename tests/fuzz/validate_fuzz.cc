// The parse, the outline, the names, the rules and the imports of all three languages, and rule files. The first byte
// says which.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "validate/check.h"
#include "validate/import_scan.h"
#include "validate/imports.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hotcell;
  if (size == 0) return 0;
  static const validate::RuleSet rules;
  const auto which = data[0] % 4;
  std::string text(reinterpret_cast<const char*>(data + 1), size - 1);
  if (which == 3) {
    const auto own = validate::RuleSet::with_text(text, "fuzz.yaml");
    if (!own && own.error().message.empty()) std::abort();
    return 0;
  }
  const auto language = validate::kCheckedLanguages[which];
  for (const auto name : validate::scan_imports(language, text))
    if (name.empty() || name.data() < text.data() || name.data() + name.size() > text.data() + text.size())
      std::abort();
  const auto syntax = validate::Syntax::parse(language, text);
  if (!syntax) return 0;
  const auto imports = validate::find_imports(*syntax);
  for (const auto& import : imports.imports)
    if (import.line == 0 || import.attempt > imports.attempts.size()) std::abort();
  const auto report = validate::check(*syntax, rules, {.policy = "strict", .max_findings = 20});
  if (report.findings.size() > 20 || report.findings.size() != report.refuses.size()) std::abort();
  if ((report.verdict == "clean") != report.findings.empty()) std::abort();
  if ((report.verdict == "refused") != !report.refusal.empty()) std::abort();
  for (const auto& finding : report.findings)
    if (finding.line == 0 || finding.column == 0 || finding.message.empty()) std::abort();
  return 0;
}
