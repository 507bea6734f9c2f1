// Every file of an entry with its kind, mode, size and hash: what "undamaged" means for that entry.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "deps/tree.h"

namespace hotcell::deps {

// One line for each item, sorted; ends in a line with their number, so that what was cut off is noticed:
//   d 0555 - - lib
//   f 0444 1234 <sha256> lib/a.py
//   l 0777 4 - lib/b.py a.py
//   end 3
// Bytes up to space, "%" and what is above "~" are written as %XX.
std::string manifest_text(const Tree& tree);
Expected<std::vector<TreeItem>> parse_manifest(std::string_view text);

struct Damage {
  std::string path;
  std::string what;  // "changed", "missing", "extra", "wrong mode", "wrong kind"; or a sentence, for the entry itself

  bool operator==(const Damage&) const = default;
};

// Both sorted by path.
std::vector<Damage> compare(const std::vector<TreeItem>& expected, const std::vector<TreeItem>& found);

inline constexpr std::size_t kMaxManifestBytes = std::size_t{128} << 20;

}  // namespace hotcell::deps
