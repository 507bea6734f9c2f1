#include "deps/requirement.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <utility>

#include "deps/npm_spec.h"
#include "deps/pep508.h"

namespace hotcell::deps {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

bool is_npm_part(std::string_view part) {
  if (part.empty() || part[0] == '.' || part[0] == '_') return false;
  return std::ranges::all_of(
      part, [](char c) { return is_letter(c) || is_digit(c) || c == '-' || c == '.' || c == '_' || c == '~'; });
}

void merge_sorted(std::vector<std::string>& into, const std::vector<std::string>& from) {
  into.insert(into.end(), from.begin(), from.end());
  std::ranges::sort(into);
  into.erase(std::ranges::unique(into).begin(), into.end());
}

}  // namespace

std::string_view name_of(Ecosystem ecosystem) { return ecosystem == Ecosystem::pypi ? "pypi" : "npm"; }

Expected<Ecosystem> ecosystem_from_name(std::string_view name) {
  if (name == "pypi") return Ecosystem::pypi;
  if (name == "npm") return Ecosystem::npm;
  return fail("invalid_field", quoted(name) + " is not a source of packages", "use pypi or npm");
}

std::string quoted(std::string_view text) {
  constexpr std::size_t kShown = 120;
  std::string out = "'";
  for (const char c : text.substr(0, kShown)) out += static_cast<unsigned char>(c) >= 32 && c != 127 ? c : '?';
  // Cut inside a letter of several bytes, the rest of it goes too.
  if (text.size() > kShown) {
    while (out.size() > 1 && (static_cast<unsigned char>(out.back()) & 0xc0) == 0x80) out.pop_back();
    if (out.size() > 1 && static_cast<unsigned char>(out.back()) >= 0xc0) out.pop_back();
    out += "…";
  }
  return out + "'";
}

std::string normalize_pypi_name(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (c == '-' || c == '_' || c == '.') {
      if (out.empty() || out.back() != '-') out += '-';
    } else {
      out += static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    }
  }
  return out;
}

bool is_pypi_name(std::string_view name) {
  const auto edge = [](char c) { return is_letter(c) || is_digit(c); };
  return !name.empty() && name.size() <= 214 && edge(name.front()) && edge(name.back()) &&
         std::ranges::all_of(name, [&](char c) { return edge(c) || c == '-' || c == '_' || c == '.'; });
}

bool is_npm_name(std::string_view name) {
  if (name.size() > 214) return false;
  if (!name.starts_with('@')) return is_npm_part(name) && name != "node_modules" && name != "favicon.ico";
  const auto slash = name.find('/');
  return slash != name.npos && is_npm_part(name.substr(1, slash - 1)) && is_npm_part(name.substr(slash + 1));
}

std::string Requirement::text() const {
  if (ecosystem == Ecosystem::npm) return name + "@" + (versions.empty() ? "latest" : versions.front());
  std::string out = name;
  for (std::size_t i = 0; i < extras.size(); ++i) out += (i ? "," : "[") + extras[i];
  if (!extras.empty()) out += "]";
  for (std::size_t i = 0; i < versions.size(); ++i) out += (i ? "," : "") + versions[i];
  // Spaced, for the version after "===" may hold a ';' only by ending before it.
  if (!marker.empty()) out += " ; " + marker;
  return out;
}

Expected<Requirement> parse_requirement(Ecosystem ecosystem, std::string_view text) {
  const auto refuse = [&](const std::string& why) {
    return fail("invalid_requirement", "the dependency " + quoted(text) + " cannot be read: " + why,
                ecosystem == Ecosystem::pypi ? "write a name and, if you like, versions: requests, 'requests>=2,<3'"
                                             : "write a name and, if you like, a version: lodash, lodash@^4.17");
  };
  if (text.size() > kMaxRequirementBytes)
    return refuse("it has more than " + std::to_string(kMaxRequirementBytes) + " bytes");
  for (const char c : text)
    if ((static_cast<unsigned char>(c) < 32 && c != '\t') || static_cast<unsigned char>(c) >= 127)
      return refuse("it has letters other than printable ASCII");
  if (text.find_first_not_of(" \t") == text.npos) return refuse("it is empty");
  auto parsed = ecosystem == Ecosystem::pypi ? parse_pep508(text) : parse_npm_spec(text);
  if (!parsed) return refuse(parsed.error());
  return std::move(*parsed);
}

Expected<std::vector<Requirement>> parse_requirements(Ecosystem ecosystem, std::span<const std::string> texts) {
  if (texts.size() > kMaxRequirements)
    return fail("invalid_requirement", "there are " + std::to_string(texts.size()) + " dependencies; at most " +
                                           std::to_string(kMaxRequirements) + " can be asked for");
  std::map<std::pair<std::string, std::string>, Requirement> merged;  // by name and marker
  for (const auto& text : texts) {
    auto parsed = parse_requirement(ecosystem, text);
    if (!parsed) return std::unexpected(parsed.error());
    const auto [place, fresh] = merged.try_emplace({parsed->name, parsed->marker}, *parsed);
    if (fresh || place->second == *parsed) continue;
    if (ecosystem == Ecosystem::npm)
      return fail("invalid_requirement",
                  "the package " + parsed->name + " is asked for twice, as " + quoted(place->second.text()) +
                      " and as " + quoted(parsed->text()),
                  "ask for one version of it");
    merge_sorted(place->second.extras, parsed->extras);
    merge_sorted(place->second.versions, parsed->versions);
  }
  std::vector<Requirement> out;
  out.reserve(merged.size());
  for (auto& [key, requirement] : merged) out.push_back(std::move(requirement));
  return out;
}

std::string canonical_text(std::span<const Requirement> requirements) {
  std::string out;
  for (const auto& requirement : requirements) out += requirement.text() + "\n";
  return out;
}

}  // namespace hotcell::deps
