// hotcell check: what the validator says of a program, without running it.
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "cli/commands.h"
#include "cli/engines.h"
#include "cli/program.h"
#include "cli/rules.h"
#include "cli/terminal.h"
#include "protocol/result_json.h"
#include "protocol/utf8.h"
#include "validate/check.h"
#include "validate/confirm.h"

namespace hotcell::cli {
namespace {

using nlohmann::ordered_json;
using validate::Report;
using validate::RuleSet;

constexpr int kProgramRefused = 1;
constexpr std::size_t kMaxProgram = 64u << 20;

struct CheckFlags {
  ProgramFlags program;  // language, code, file
  std::string policy, rules;
  bool json = false, list = false;
};

// What comes from a program must not speak to the terminal.
std::string printable(std::string_view text) {
  auto out = protocol::to_text(text).text;
  for (auto& c : out)
    if (const auto byte = static_cast<unsigned char>(c); byte < 0x20 || byte == 0x7F) c = ' ';
  return out;
}

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const auto& word : words) out += (out.empty() ? "" : ", ") + word;
  return out;
}

// The flags go before the settings.
Expected<Settings> settings_for(CheckFlags& flags, const Commands& commands) {
  auto settings = commands.settings();
  if (!settings) return settings;
  if (!flags.rules.empty()) settings->check_rules = flags.rules;
  if (flags.policy.empty())
    flags.policy = settings->check_policy;
  else
    settings->check_policy = flags.policy;
  return settings;
}

int list_rules(const CheckFlags& flags, const RuleSet& rules) {
  std::optional<protocol::Language> only;
  if (!flags.program.language.empty()) {
    auto language = language_of(flags.program, {});
    if (!language) return complain(language.error());
    only = *language;
  }
  auto list = ordered_json::array();
  std::string out;
  for (const auto language : validate::kCheckedLanguages) {
    if (only && *only != language) continue;
    out += (out.empty() ? "" : "\n") + std::string(protocol::name_of(language)) + "\n";
    for (const auto& rule : rules.of(language).rules()) {
      list.push_back({{"rule", rule.id},
                      {"language", protocol::name_of(language)},
                      {"severity", validate::name_of(rule.severity)},
                      {"refused_by", rule.refused_by},
                      {"message", rule.message},
                      {"suggestion", rule.suggestion},
                      {"file", rule.file},
                      {"line", rule.line}});
      char row[160];
      std::snprintf(row, sizeof row, "  %-26s %-7s %-18s ", rule.id.c_str(),
                    std::string(validate::name_of(rule.severity)).c_str(),
                    rule.refused_by.empty() ? "-" : joined(rule.refused_by).c_str());
      out += row + rule.message + "\n";
    }
  }
  if (flags.json)
    put(1, protocol::dump(list) + "\n");
  else
    put(1, out);
  return 0;
}

ordered_json as_json(const Report& report, const CheckFlags& flags, protocol::Language language) {
  auto findings = ordered_json::array();
  for (std::size_t i = 0; i < report.findings.size(); ++i) {
    const auto& finding = report.findings[i];
    findings.push_back({{"rule", finding.rule},
                        {"severity", finding.severity},
                        {"line", finding.line},
                        {"message", finding.message},
                        {"column", finding.column},
                        {"suggestion", finding.suggestion},
                        {"refuses", static_cast<bool>(report.refuses[i])}});
  }
  return {{"verdict", report.verdict},
          {"findings", std::move(findings)},
          {"total", report.total},
          {"refusal", report.refusal.empty() ? ordered_json() : ordered_json(report.refusal)},
          {"language", protocol::name_of(language)},
          {"policy", flags.policy}};
}

std::string as_text(const Report& report, const CheckFlags& flags, std::string_view source) {
  const auto name = flags.program.has_code      ? std::string("<code>")
                    : flags.program.file == "-" ? "<stdin>"
                                                : flags.program.file;
  std::string out;
  std::uint32_t at_line = 1;
  std::string_view rest = source;
  for (std::size_t i = 0; i < report.findings.size(); ++i) {
    const auto& finding = report.findings[i];
    out += name + ":" + std::to_string(finding.line) + ":" + std::to_string(finding.column) + ": " +
           (report.refuses[i] ? "refused: " : "") + printable(finding.message) + "  [" + finding.rule + ", " +
           finding.severity + "]\n";
    for (; at_line < finding.line && rest.find('\n') != rest.npos; ++at_line) rest.remove_prefix(rest.find('\n') + 1);
    auto line = rest.substr(0, rest.find('\n'));
    line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
    if (finding.rule != validate::kIncompleteRule && !line.empty())
      out += "    " + printable(protocol::shortened(line, 100)) + "\n";
    if (!finding.suggestion.empty()) out += "    -> " + finding.suggestion + "\n";
  }
  if (report.total > report.findings.size())
    out += "and " + std::to_string(report.total - report.findings.size()) + " more\n";
  if (report.findings.empty())
    out += name + ": nothing found\n";
  else if (report.verdict == "refused")
    out += printable(report.refusal) + " (policy " + flags.policy + ")\n";
  else
    out += name + ": nothing that the policy " + flags.policy + " refuses\n";
  return out;
}

int check_program(const CheckFlags& flags, const Settings& settings, const exec::ReadingRules& rules) {
  Expected<std::string> source = flags.program.code;
  if (!flags.program.has_code)
    source = flags.program.file == "-" ? read_all(0, kMaxProgram, "the program on standard input")
                                       : read_file(flags.program.file, kMaxProgram);
  if (!source) return complain(source.error());
  const auto language = language_of(flags.program, *source);
  if (!language) return complain(language.error());
  if (*language == protocol::Language::wasm)
    return complain({"unknown_language", "a WebAssembly module has no source text to check",
                     "languages: python, javascript, bash"});

  validate::CheckOptions options;
  options.policy = flags.policy;
  options.allowed_paths = rules.allowed_paths;
  // Only a program that cannot be parsed needs an interpreter; without one the suspicion stays a suspicion.
  LocalEngines engines(settings);
  options.confirm_syntax = [&](protocol::Language which, std::string_view text) {
    if (which != protocol::Language::python) return validate::SyntaxVerdict();
    const auto engine = engines.open(exec::EngineChoice::wasi);
    return engine ? validate::confirm_with(**engine)(which, text) : validate::SyntaxVerdict();
  };
  const auto report = validate::check(*language, *source, rules.rules, options);
  if (flags.json)
    put(1, protocol::dump(as_json(report, flags, *language)) + "\n");
  else
    put(1, as_text(report, flags, *source));
  return report.verdict == "refused" ? kProgramRefused : 0;
}

}  // namespace

void add_check(CLI::App& app, Commands& commands) {
  auto flags = std::make_shared<CheckFlags>();
  auto* command = app.add_subcommand(
      "check", "Say what a program would do, without running it: hotcell check [options] FILE|-|-c CODE");
  command
      ->add_option("-l,--language", flags->program.language,
                   "python, javascript or bash; else from extension or shebang")
      ->type_name("LANGUAGE");
  auto* code = command->add_option("-c,--code", flags->program.code, "the program itself")->type_name("CODE");
  command->add_option("file", flags->program.file, "the program's file, or - for standard input");
  command
      ->add_option("--policy", flags->policy,
                   "off, warn, standard, strict, or one of the rule file's; standard unless configured")
      ->type_name("POLICY");
  command->add_option("--rules", flags->rules, "rules and policies of your own, over the built-in ones")
      ->type_name("FILE");
  command->add_flag("--list-rules", flags->list, "list the rules instead");
  command->add_flag("--json", flags->json, "as JSON");
  command->footer(
      "The exit status is 1 when the policy refuses the program, 125 when hotcell failed, else 0.\n"
      "What it says is advice; what keeps a program from doing harm is the cell that it runs in.");
  command->callback([&commands, flags, code] {
    commands.action = [&commands, flags, code]() -> int {
      flags->program.has_code = code->count() > 0;
      const auto settings = settings_for(*flags, commands);
      if (!settings) return complain(settings.error());
      const auto rules = reading_rules(*settings);
      if (!rules) return complain(rules.error());
      if (flags->list) return list_rules(*flags, rules->rules);
      if (!flags->program.has_code && flags->program.file.empty())
        return complain(
            {"invalid_field", "there is no program to check", "give a file, - for standard input, or -c CODE"});
      return check_program(*flags, *settings, *rules);
    };
  });
}

}  // namespace hotcell::cli
