#include "exec/reading.h"

#include <utility>

namespace hotcell::exec {

Reading read_program(const protocol::Request& request, const Questions& questions, const ReadingRules& rules) {
  Reading reading;
  const auto find_needs = [&](validate::ImportReport imports) {
    auto needs = deps::find_needs(request.language, request.code.value_or(""), std::move(imports), request.dependencies,
                                  request.files, rules.packages, rules.package_map);
    if (needs)
      reading.needs = std::move(*needs);
    else
      reading.denied = std::move(needs.error());
  };
  if (!request.code) {
    if (questions.needs) find_needs({});
    return reading;
  }
  validate::CheckOptions options;
  options.policy = questions.policy;
  options.allowed_paths = rules.allowed_paths;
  options.time = questions.check_time;
  options.confirm_syntax = questions.confirm_syntax;
  const auto syntax = validate::Syntax::parse(request.language, *request.code, questions.limits);
  if (!syntax) {
    if (!questions.policy.empty()) reading.report = validate::unread(syntax.error(), rules.rules, options);
    return reading;
  }
  if (!questions.policy.empty()) reading.report = validate::check(*syntax, rules.rules, options);
  if (questions.needs) find_needs(validate::find_imports(*syntax));
  return reading;
}

std::size_t size_of(const Reading& reading) {
  std::size_t bytes = sizeof reading;
  if (reading.report)
    for (const auto& finding : reading.report->findings)
      bytes += sizeof finding + finding.message.size() + finding.suggestion.size() + 64;
  if (reading.needs) {
    const auto& report = reading.needs->report;
    for (const auto& import : report.imports) bytes += sizeof import + import.module.size() + import.member.size();
    for (const auto& use : report.uses) bytes += sizeof use + use.name.size();
    for (const auto& need : reading.needs->packages) bytes += sizeof need + 4 * need.package.size();
    for (const auto& note : reading.needs->notes) bytes += sizeof(std::string) + note.size();
  }
  return bytes;
}

}  // namespace hotcell::exec
