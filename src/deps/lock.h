// The resolved set: every package that will be installed, its exact version, and the hashes of the files that it may be
// installed from. Two locks with the same text install the same bytes; that text is what a cache entry is keyed by.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "deps/requirement.h"

namespace hotcell::deps {

struct LockedPackage {
  std::string name;     // spelt as Requirement::name
  std::string version;  // PyPI: PEP 440's spelling; npm: complete
  // npm may install one package several times, and under another name: where in the tree,
  // "node_modules/a/node_modules/b". Empty for PyPI.
  std::string place;
  std::vector<std::string> hashes;  // "sha256:<hex>", "sha512:<hex>"; at least one

  bool operator==(const LockedPackage&) const = default;
};

class Lock {
 public:
  // Checks every field, brings versions into one spelling, sorts. "invalid_lock" names the package.
  static Expected<Lock> make(Ecosystem ecosystem, std::vector<LockedPackage> packages);

  // Reads text() back. Only the canonical form is accepted: one lock, one text.
  static Expected<Lock> parse(std::string_view text);

  // hotcell-lock 1 pypi
  // certifi 2022.12.7 sha256:4ad3…
  // npm:  lodash 4.17.21 sha512:bf69… at node_modules/lodash
  std::string text() const;

  Ecosystem ecosystem() const { return ecosystem_; }
  const std::vector<LockedPackage>& packages() const { return packages_; }
  bool operator==(const Lock&) const = default;

 private:
  Ecosystem ecosystem_ = Ecosystem::pypi;
  std::vector<LockedPackage> packages_;
};

inline constexpr std::size_t kMaxLockedPackages = 4096;
inline constexpr std::size_t kMaxLockBytes = std::size_t{4} << 20;

}  // namespace hotcell::deps
