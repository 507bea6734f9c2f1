// What a program asks for: "requests[socks]>=2,<3", "lodash@^4.17". Read strictly and brought into one spelling, so
// that the same wish always looks the same, however it was written.
//
// Only packages of the configured index can be asked for. What would make an installer read something else (a URL, a
// path, a Git repository, an option) is refused here, by name, before any installer sees it: a requirement is a
// stranger's text, and installers take options from wherever they find them.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace hotcell::deps {

enum class Ecosystem { pypi, npm };

std::string_view name_of(Ecosystem ecosystem);
Expected<Ecosystem> ecosystem_from_name(std::string_view name);

struct Requirement {
  Ecosystem ecosystem = Ecosystem::pypi;
  std::string name;                 // PyPI: lower case, runs of "-_." made one "-". npm: as published, with its scope
  std::vector<std::string> extras;  // PyPI only; spelt like names, sorted, each once
  // PyPI: "==2.28", "<3", …: sorted, each once, none: any version. npm: exactly one, a range or a tag.
  std::vector<std::string> versions;
  std::string marker;  // PyPI only: python_version < "3.12" and …

  std::string text() const;  // what parse_requirement() reads back to the same
  bool operator==(const Requirement&) const = default;
};

inline constexpr std::size_t kMaxRequirementBytes = 2048;
inline constexpr std::size_t kMaxRequirements = 512;

// "invalid_requirement": the sentence quotes the requirement and says what is wrong with it.
Expected<Requirement> parse_requirement(Ecosystem ecosystem, std::string_view text);

// A set: sorted, each package once (PyPI: once for each marker; what is asked of it in several places is asked
// together). npm has one version of a package at the top, so two different wishes for it are an error.
Expected<std::vector<Requirement>> parse_requirements(Ecosystem ecosystem, std::span<const std::string> texts);

// The set on one line for each requirement: equal sets give equal text.
std::string canonical_text(std::span<const Requirement> requirements);

// "Zope.Interface" and "zope_interface" are one package: PEP 503.
std::string normalize_pypi_name(std::string_view name);
bool is_pypi_name(std::string_view name);
bool is_npm_name(std::string_view name);

// The text as it may stand in a message: cut, and without what would confuse a terminal. (Where <iomanip> is included,
// a std::string finds std::quoted too: say deps::quoted there.)
std::string quoted(std::string_view text);

}  // namespace hotcell::deps
