#include "deps/needs.h"

#include <algorithm>
#include <map>
#include <set>

#include "deps/local_modules.h"

namespace hotcell::deps {

using protocol::Language;

namespace {

constexpr std::size_t kMostNotes = 50;

Ecosystem ecosystem_of(Language language) {
  return language == Language::javascript ? Ecosystem::npm : Ecosystem::pypi;
}

bool matches(Language language, const std::vector<std::string>& patterns, const std::string& package) {
  return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
    if (pattern.ends_with('*')) {
      const auto beginning = pattern.substr(0, pattern.size() - 1);
      // A trailing separator is part of the beginning: normalizing would take it off.
      return package.starts_with(language == Language::python ? [&] {
        auto text = beginning;
        for (auto& c : text) c = c == '_' || c == '.' ? '-' : static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
        return text;
      }()
                                                              : beginning);
    }
    return package == (language == Language::python ? normalize_pypi_name(pattern) : pattern);
  });
}

class Finder {
 public:
  Finder(Language language, std::string_view code, const Policy& policy, const PackageMap& map, Needs& needs)
      : language_(language), code_(code), policy_(policy), map_(map), needs_(needs) {}

  Expected<void> named(std::string_view text, const std::string& source, const std::string& file, std::uint32_t line,
                       bool optional) {
    auto requirement = parse_requirement(ecosystem_of(language_), text);
    if (!requirement) {
      auto error = requirement.error();
      if (source != "request") error.message += at_place(file.empty() ? source : file, line);
      return std::unexpected(std::move(error));
    }
    PackageNeed need;
    need.requirement = requirement->text();
    need.package = requirement->name;
    need.source = source;
    need.file = file;
    need.line = line;
    need.optional = optional;
    const auto known = map_.about_package(language_, need.package);
    need.nature = known.nature;
    need.network = known.network;
    needs_.packages.push_back(std::move(need));
    return {};
  }

  // The packages behind the imports.
  void detected() {
    std::map<std::string, std::size_t> at;  // package -> index
    for (const auto& import : needs_.report.imports) {
      if (import.local || import.standard || import.relative || import.type_checking || import.unreachable) continue;
      if (is_spare(import)) continue;
      const auto name =
          import.member.empty() || import.member == "*" ? import.module : import.module + "." + import.member;
      auto entry = map_.find(language_, name);
      if (!entry || entry->package == "-") {
        note(deps::quoted(import.module) + at_place(import.file, import.line) + " is in no package of " +
             std::string(name_of(ecosystem_of(language_))));
        continue;
      }
      // What may be missing is not worth an install of a package that nobody knows.
      const auto package = language_ == Language::python ? normalize_pypi_name(entry->package) : entry->package;
      const bool known = entry->mapped || is_well_known(language_, package);
      if (import.optional && !known) continue;
      if (!known && is_made(import)) {
        note(deps::quoted(import.module) + at_place(import.file, import.line) +
             " is no known package, and the program seems to write a file of that name");
        continue;
      }
      const auto [place, is_new] = at.try_emplace(package, needs_.packages.size());
      if (!is_new) {
        auto& need = needs_.packages[place->second];
        need.optional &= import.optional;
        need.at_once |= !import.deferred && !import.conditional;
        continue;
      }
      PackageNeed need;
      need.requirement = entry->package;
      need.package = package;
      need.import = import.module;
      need.source = entry->mapped ? "map" : "own name";
      need.file = import.file;
      need.line = import.line;
      need.optional = import.optional;
      need.known = known;
      need.at_once = !import.deferred && !import.conditional;
      need.nature = entry->nature;
      need.network = entry->network;
      if (!entry->mapped && needs_.packages.size() < kMaxRequirements) need.look_alike = look_alike(language_, package);
      needs_.packages.push_back(std::move(need));
    }
  }

  // Who declares, declares everything; but an import that nothing declared explains is worth a word.
  void note_undeclared() {
    std::set<std::string> declared;
    for (const auto& need : needs_.packages) declared.insert(need.package);
    std::set<std::string> said;
    for (const auto& import : needs_.report.imports) {
      if (import.local || import.standard || import.relative || !import.required() || is_spare(import)) continue;
      const auto entry =
          map_.find(language_, import.member.empty() ? import.module : import.module + "." + import.member);
      if (!entry || entry->package == "-" || !entry->mapped) continue;
      const auto has = [&](const std::string& package) {
        return declared.contains(language_ == Language::python ? normalize_pypi_name(package) : package);
      };
      if (has(entry->package) || std::any_of(entry->others.begin(), entry->others.end(), has)) continue;
      if (said.insert(entry->package).second)
        note(deps::quoted(import.module) + at_place(import.file, import.line) + " is imported; " + needs_.source +
             " does not name " + entry->package + ", which brings it");
    }
  }

  Expected<void> obey_policy() {
    for (auto& need : needs_.packages) {
      const auto what = "the package " + deps::quoted(need.package) + at_place(need.file, need.line);
      if (policy_.mode == Policy::Mode::off)
        return fail("dependency_denied", what + " cannot be installed: installing is switched off (deps.mode)",
                    "use the standard library, or ask the operator");
      if (matches(language_, policy_.deny, need.package))
        return fail("dependency_denied", what + " is denied here (deps.deny)", "do without it, or ask the operator");
      const bool allowed = matches(language_, policy_.allow, need.package);
      if (!policy_.allow.empty() && !allowed)
        return fail("dependency_denied", what + " is not among the packages that are allowed here (deps.allow)",
                    "do without it, or ask the operator");
      if (allowed) need.look_alike.clear();
      if (!need.look_alike.empty() && policy_.refuse_look_alikes)
        return fail("dependency_look_alike",
                    what + " is not a known package, and its name is nearly " + deps::quoted(need.look_alike),
                    "did you mean " + need.look_alike + "? Else name it in the request's dependencies");
    }
    return {};
  }

  void note_lost_files() {
    for (const auto& import : needs_.report.imports)
      if (import.relative && !import.local && import.required() && !import.module.starts_with('#'))
        note(deps::quoted(import.module) + at_place(import.file, import.line) + " is not among the given files");
  }

  void note(std::string text) {
    if (needs_.notes.size() < kMostNotes) needs_.notes.push_back(std::move(text));
  }

 private:
  // open("helper.py", "w").write(…); import helper
  bool is_made(const validate::Import& import) const {
    if (language_ != Language::python) return false;
    const auto file = import.module.substr(0, import.module.find('.')) + ".py";
    for (auto at = code_.find(file); at != code_.npos; at = code_.find(file, at + 1))
      if (at > 0 && (code_[at - 1] == '"' || code_[at - 1] == '\'' || code_[at - 1] == '/')) return true;
    return false;
  }

  // A substitute for what is there anyway: try: import tomllib; except ImportError: import tomli.
  bool is_spare(const validate::Import& import) const { return import.attempt != 0 && spare(import); }
  bool spare(const validate::Import& import) const {
    if (import.fallback && satisfied(import.attempt)) return true;
    const auto parent = parent_of(import.attempt);
    return parent != 0 && satisfied(parent);
  }
  std::uint32_t parent_of(std::uint32_t attempt) const {
    return attempt != 0 && attempt <= needs_.report.attempts.size() ? needs_.report.attempts[attempt - 1] : 0;
  }
  bool satisfied(std::uint32_t attempt) const {
    if (settled_.empty()) settle();
    for (int depth = 0; attempt != 0 && depth < 64; attempt = parent_of(attempt), ++depth)
      if (const auto at = settled_.find(attempt); at != settled_.end() && at->second) return true;
    return false;
  }
  // Which attempts succeed for sure: all that they try is in the standard library.
  void settle() const {
    settled_.emplace(0, false);
    for (const auto& import : needs_.report.imports) {
      if (!import.optional || import.attempt == 0) continue;
      const auto [at, is_new] = settled_.try_emplace(import.attempt, true);
      at->second &= import.standard || import.local;
    }
  }

  const Language language_;
  const std::string_view code_;
  const Policy& policy_;
  const PackageMap& map_;
  Needs& needs_;
  mutable std::map<std::uint32_t, bool> settled_;
};

}  // namespace

Expected<std::vector<Requirement>> to_install(Language language, const Needs& needs, bool guesses) {
  std::vector<std::string> texts;
  for (const auto& need : needs.packages)
    if (!need.optional && (need.known || guesses)) texts.push_back(need.requirement);
  return parse_requirements(ecosystem_of(language), texts);
}

std::string at_place(const std::string& file, std::uint32_t line) {
  if (line == 0) return file.empty() ? "" : " (" + deps::quoted(file) + ")";
  return " (" + (file.empty() ? "" : deps::quoted(file) + " ") + "line " + std::to_string(line) + ")";
}

Expected<Needs> find_needs(Language language, std::string_view code, validate::ImportReport report,
                           const protocol::Dependencies& asked, std::span<const protocol::InputFile> files,
                           const Policy& policy, const PackageMap& map) {
  Needs needs;
  needs.report = std::move(report);
  add_local_modules(language, files, needs.report);
  Finder finder(language, code, policy, map, needs);
  if (asked.mode == protocol::DependencyMode::explicit_list) {
    needs.source = "request";
    for (const auto& text : asked.packages)
      if (auto done = finder.named(text, "request", "", 0, false); !done) return std::unexpected(done.error());
  } else if (asked.mode == protocol::DependencyMode::none || policy.mode == Policy::Mode::off) {
    needs.source = "off";
  } else if (language == Language::python || language == Language::javascript) {
    auto declared = find_declared(language, code, files);
    if (!declared) return std::unexpected(declared.error());
    if (*declared) {
      needs.source = (*declared)->source;
      needs.requires_python = (*declared)->requires_python;
      for (const auto& text : (*declared)->ignored) finder.note(text);
      for (const auto& wish : (*declared)->requirements)
        if (auto done = finder.named(wish.text, needs.source, wish.file, wish.line, wish.optional); !done)
          return std::unexpected(done.error());
      finder.note_undeclared();
    } else if (policy.mode == Policy::Mode::automatic) {
      finder.detected();
    } else {
      needs.source = "off";
    }
  }
  finder.note_lost_files();
  if (needs.report.truncated) finder.note("the program imports too many names; the rest was not looked at");
  if (auto done = finder.obey_policy(); !done) return std::unexpected(done.error());
  return needs;
}

}  // namespace hotcell::deps
