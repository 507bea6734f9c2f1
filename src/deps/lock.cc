#include "deps/lock.h"

#include <algorithm>
#include <set>
#include <tuple>

#include "base/text.h"
#include "deps/npm_spec.h"
#include "deps/pep440.h"

namespace hotcell::deps {
namespace {

constexpr std::string_view kFirstLine = "hotcell-lock 1 ";

std::unexpected<Error> wrong(const std::string& why) {
  return fail("invalid_lock", "the list of resolved packages cannot be used: " + why);
}

bool is_hash(std::string_view hash) {
  const auto hex_after = [&](std::string_view prefix, std::size_t digits) {
    return hash.starts_with(prefix) && hash.size() == prefix.size() + digits &&
           hash.find_first_not_of("0123456789abcdef", prefix.size()) == hash.npos;
  };
  return hex_after("sha256:", 64) || hex_after("sha512:", 128);
}

// "node_modules/a", "node_modules/@s/a/node_modules/b": nothing that could lead out of the folder of the entry.
bool is_place(std::string_view place) {
  if (place.size() > 1024) return false;
  for (;;) {
    constexpr std::string_view kFolder = "node_modules/";
    if (!place.starts_with(kFolder)) return false;
    place.remove_prefix(kFolder.size());
    const auto next = place.find("/node_modules/");
    if (!is_npm_name(place.substr(0, next))) return false;
    if (next == place.npos) return true;
    place.remove_prefix(next + 1);
  }
}

auto order(const LockedPackage& package) { return std::tie(package.name, package.place, package.version); }

}  // namespace

Expected<Lock> Lock::make(Ecosystem ecosystem, std::vector<LockedPackage> packages) {
  if (packages.size() > kMaxLockedPackages)
    return wrong("it has " + std::to_string(packages.size()) + " packages, more than " +
                 std::to_string(kMaxLockedPackages));
  for (auto& package : packages) {
    const bool pypi = ecosystem == Ecosystem::pypi;
    if (pypi ? !is_pypi_name(package.name) : !is_npm_name(package.name))
      return wrong(quoted(package.name) + " is not the name of a package");
    if (pypi) package.name = normalize_pypi_name(package.name);
    auto version = pypi ? normalize_pep440_version(package.version) : normalize_npm_version(package.version);
    if (!version) return wrong(quoted(package.version) + " is not a version, for " + package.name);
    package.version = std::move(*version);
    if (pypi ? !package.place.empty() : !is_place(package.place))
      return wrong(quoted(package.place) + " is no place to install " + package.name + " at");
    if (package.hashes.empty() || package.hashes.size() > 256)
      return wrong(package.name + " has " + std::to_string(package.hashes.size()) + " hashes");
    for (const auto& hash : package.hashes)
      if (!is_hash(hash)) return wrong(quoted(hash) + " is not a hash, for " + package.name);
    std::ranges::sort(package.hashes);
    package.hashes.erase(std::ranges::unique(package.hashes).begin(), package.hashes.end());
  }
  std::ranges::sort(packages, [](const auto& a, const auto& b) { return order(a) < order(b); });
  packages.erase(std::ranges::unique(packages).begin(), packages.end());
  std::set<std::string_view> taken;  // one package for each name (PyPI) or place (npm)
  for (const auto& package : packages)
    if (!taken.insert(ecosystem == Ecosystem::pypi ? package.name : package.place).second)
      return wrong(package.name + " is in it twice, with different versions or hashes");
  Lock lock;
  lock.ecosystem_ = ecosystem;
  lock.packages_ = std::move(packages);
  return lock;
}

std::string Lock::text() const {
  std::string out = std::string(kFirstLine) + std::string(name_of(ecosystem_)) + "\n";
  for (const auto& package : packages_) {
    out += package.name + " " + package.version;
    for (const auto& hash : package.hashes) out += " " + hash;
    if (!package.place.empty()) out += " at " + package.place;
    out += "\n";
  }
  return out;
}

Expected<Lock> Lock::parse(std::string_view text) {
  if (text.size() > kMaxLockBytes) return wrong("it has more than " + std::to_string(kMaxLockBytes) + " bytes");
  if (!text.starts_with(kFirstLine) || !text.ends_with('\n')) return wrong("it does not begin and end as a lock does");
  auto rest = text.substr(kFirstLine.size());
  const auto ecosystem = ecosystem_from_name(next_line(rest));
  if (!ecosystem) return wrong(ecosystem.error().message);
  std::vector<LockedPackage> packages;
  while (!rest.empty()) {
    if (packages.size() == kMaxLockedPackages) return wrong("it has too many packages");
    auto line = next_line(rest);
    LockedPackage package;
    package.name = next_part(line, ' ');
    package.version = next_part(line, ' ');
    while (!line.empty()) {
      const auto word = next_part(line, ' ');
      if (word == "at") {
        package.place = next_part(line, ' ');
        break;
      }
      package.hashes.emplace_back(word);
    }
    packages.push_back(std::move(package));
  }
  auto lock = make(*ecosystem, std::move(packages));
  if (lock && lock->text() != text) return wrong("it is not in its canonical form");
  return lock;
}

}  // namespace hotcell::deps
