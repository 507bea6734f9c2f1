#include "deps/package_map.h"

#include <algorithm>
#include <bit>
#include <cstdint>

#include "base/text.h"
#include "deps/embedded.h"
#include "deps/requirement.h"
#include "deps/table.h"
#include "protocol/nearest.h"

namespace hotcell::deps {

using protocol::Language;

namespace {

Table packages_of(Language language) {
  return Table(language == Language::python ? embedded::python_packages_txt() : embedded::javascript_packages_txt());
}
Table well_known_of(Language language) {
  return Table(language == Language::python ? embedded::python_well_known_txt()
                                            : embedded::javascript_well_known_txt());
}

// PACKAGE, TRAITS, OTHERS
PackageEntry entry_from(std::string_view fields) {
  PackageEntry entry;
  entry.mapped = true;
  entry.package = next_part(fields, '\t');
  auto traits = next_part(fields, '\t');
  auto others = next_part(fields, '\t');
  while (!traits.empty()) {
    const auto trait = next_part(traits, ',');
    if (trait == "native") entry.nature = Nature::native;
    if (trait == "pure") entry.nature = Nature::pure;
    if (trait == "network") entry.network = true;
  }
  while (!others.empty()) entry.others.emplace_back(next_part(others, ','));
  return entry;
}

// One spelling for comparisons. PyPI's names have many.
std::string same_spelling(Language language, std::string_view package) {
  return language == Language::python ? normalize_pypi_name(package) : std::string(package);
}

// Which letters and digits are in it: two names of which one is made from the other by n changes differ in at most 2n.
// Thousands of names are compared, and few get past this.
std::uint64_t letters_in(std::string_view name) {
  std::uint64_t letters = 0;
  for (const char c : name)
    if (c != '-' && c != '_' && c != '.') letters |= std::uint64_t{1} << (static_cast<unsigned char>(c) & 63);
  return letters;
}

}  // namespace

std::string_view npm_package_of(std::string_view specifier) {
  auto end = specifier.find('/');
  if (specifier.starts_with('@') && end != specifier.npos) end = specifier.find('/', end + 1);
  const auto name = specifier.substr(0, end);
  return is_npm_name(name) ? name : std::string_view();
}

Expected<PackageMap> PackageMap::with_user_file(std::string_view text, std::string_view file_name) {
  PackageMap map;
  auto* lines = &map.user_python_;
  auto language = Language::python;
  for (std::size_t number = 1; !text.empty(); ++number) {
    auto line = next_line(text);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || line.starts_with('#')) continue;
    if (line == "[python]" || line == "[javascript]") {
      language = line == "[python]" ? Language::python : Language::javascript;
      lines = language == Language::python ? &map.user_python_ : &map.user_javascript_;
      continue;
    }
    const auto where = std::string(file_name) + ":" + std::to_string(number) + ": ";
    const auto key = next_part(line, '\t');
    const auto entry = entry_from(line);
    const auto is_name = [&](const std::string& name) {
      return language == Language::python ? is_pypi_name(name) : is_npm_name(name);
    };
    if (key.empty() || entry.package.empty())
      return fail("invalid_package_map", where + "a line is IMPORT, a tab, PACKAGE; more fields may follow");
    if (entry.package != "-" && !is_name(entry.package))
      return fail("invalid_package_map", where + deps::quoted(entry.package) + " is no name of a package");
    for (const auto& other : entry.others)
      if (!is_name(other)) return fail("invalid_package_map", where + deps::quoted(other) + " is no name of a package");
    lines->insert_or_assign(std::string(key), std::string(line));
  }
  return map;
}

std::optional<PackageEntry> PackageMap::find(Language language, std::string_view name) const {
  const auto own = [&](std::string_view key) -> std::optional<std::string_view> {
    const auto& lines = language == Language::python ? user_python_ : user_javascript_;
    const auto at = lines.find(key);
    if (at == lines.end()) return {};
    return at->second;
  };
  const auto known = [&](std::string_view key) {
    const auto fields = own(key);
    return fields ? fields : packages_of(language).find(key);
  };
  if (language == Language::javascript) {
    const auto package = npm_package_of(name);
    if (package.empty()) return {};
    for (const auto key : {name, package})
      if (const auto fields = known(key)) return entry_from(*fields);
    PackageEntry entry;
    entry.package = package;
    return entry;
  }
  if (language != Language::python) return {};
  for (auto prefix = name; !prefix.empty();) {
    if (const auto fields = known(prefix)) return entry_from(*fields);
    const auto dot = prefix.rfind('.');
    prefix = dot == prefix.npos ? std::string_view() : prefix.substr(0, dot);
  }
  const auto first = name.substr(0, name.find('.'));
  if (!is_pypi_name(first)) return {};
  PackageEntry entry;
  entry.package = normalize_pypi_name(first);
  return entry;
}

PackageEntry PackageMap::about_package(Language language, std::string_view package) const {
  const auto wanted = same_spelling(language, package);
  const auto names = [&](const PackageEntry& entry) { return same_spelling(language, entry.package) == wanted; };
  for (const auto& [import, fields] : language == Language::python ? user_python_ : user_javascript_)
    if (auto entry = entry_from(fields); names(entry)) return entry;
  if (language == Language::python) {
    auto import = wanted;
    std::replace(import.begin(), import.end(), '-', '_');
    if (auto entry = find(language, import); entry && entry->mapped && names(*entry)) return *entry;
  }
  auto rest = packages_of(language).lines();
  while (!rest.empty()) {
    auto line = next_line(rest);
    next_part(line, '\t');
    auto fields = line;
    if (same_spelling(language, next_part(fields, '\t')) == wanted) return entry_from(line);
  }
  PackageEntry entry;
  entry.package = package;
  return entry;
}

bool is_well_known(Language language, std::string_view package) {
  return well_known_of(language).contains(same_spelling(language, package));
}

std::string look_alike(Language language, std::string_view package) {
  const auto name = same_spelling(language, package);
  if (name.size() > 100 || is_well_known(language, name)) return {};
  const auto without_separators = [](std::string_view text) {
    std::string letters;
    for (const char c : text)
      if (c != '-' && c != '_' && c != '.') letters += c;
    return letters;
  };
  const auto plain = without_separators(name);
  const auto letters = letters_in(name);
  auto rest = well_known_of(language).lines();
  while (!rest.empty()) {
    const auto known = next_line(rest);
    if (known.size() < 4 || known.size() + 3 < name.size() || name.size() + 3 < known.size()) continue;
    // One letter is much in a short name and little in a long one.
    const std::size_t near = known.size() < 5 ? 0 : (known.size() < 12 ? 1 : 2);
    const auto differing = static_cast<std::size_t>(std::popcount(letters ^ letters_in(known)));
    if (differing > 2 * near) continue;
    const auto difference = known.size() > name.size() ? known.size() - name.size() : name.size() - known.size();
    if (difference <= near && near > 0 && protocol::edit_distance(name, known) <= near) return std::string(known);
    if (differing == 0 && without_separators(known) == plain) return std::string(known);
  }
  for (const std::string_view affix : {"python-", "py-", "node-"})
    if (name.starts_with(affix) && well_known_of(language).contains(name.substr(affix.size())))
      return name.substr(affix.size());
  return {};
}

}  // namespace hotcell::deps
