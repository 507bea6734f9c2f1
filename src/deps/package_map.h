// From the name in an import to the package that brings it.
//
// cv2 is brought by opencv-python-headless, google.cloud.storage by google-cloud-storage; most are brought by a package
// of their own name. The map is data (dependency-cache/*/packages.txt); an operator's own file goes before it.
#pragma once
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "protocol/request.h"

namespace hotcell::deps {

enum class Nature { unknown, pure, native };

struct PackageEntry {
  std::string package;              // as its registry spells it; "-": no package of the registry brings this import
  Nature nature = Nature::unknown;  // has it (or what it needs) compiled code?
  bool network = false;             // of no use without a network
  std::vector<std::string> others;  // other packages that bring the same import
  bool mapped = false;              // from the map, not just the import's own name
};

// Immutable once loaded; any thread may read it.
class PackageMap {
 public:
  // Lines as in dependency-cache/python/packages.txt, in any order; "[javascript]" begins the part for npm, "[python]"
  // (or the beginning) that for PyPI. Entries here go before the built-in ones.
  static Expected<PackageMap> with_user_file(std::string_view text, std::string_view file_name);
  PackageMap() = default;

  // Python: `name` is dotted, the longest known beginning wins, else its first part. JavaScript: the specifier.
  // nullopt: no package can have such a name (a path, a URL, "#internal").
  std::optional<PackageEntry> find(protocol::Language language, std::string_view name) const;
  // The nature of a package that is asked for by its own name ("numpy", "scikit-learn").
  PackageEntry about_package(protocol::Language language, std::string_view package) const;

 private:
  using Lines = std::map<std::string, std::string, std::less<>>;  // import -> the other fields
  Lines user_python_, user_javascript_;
};

// "@scope/name/sub" and "name/sub/deep.js" without what is below the package. Empty: not a package's name.
std::string_view npm_package_of(std::string_view specifier);

// The well-known package that `package` looks like without being it ("reqeusts": requests, "python_numpy": numpy);
// empty when it is well known itself, or like none.
std::string look_alike(protocol::Language language, std::string_view package);
bool is_well_known(protocol::Language language, std::string_view package);

}  // namespace hotcell::deps
