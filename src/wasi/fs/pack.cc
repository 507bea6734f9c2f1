#include "wasi/fs/pack.h"

#include <algorithm>
#include <cstring>

namespace hotcell::wasi {
namespace {

constexpr std::string_view kMagic = "HCPACK1\n";
constexpr std::size_t kHeaderSize = 16;
constexpr std::size_t kEntrySize = 32;
constexpr std::uint32_t kMaxPath = 4095;       // inode numbers hold a prefix length in 12 bits…
constexpr std::uint32_t kMaxCount = 1u << 24;  // …and an entry's index in 24

bool well_formed(std::string_view path) {
  if (path.empty() || path.size() > kMaxPath || path.find('\0') != path.npos) return false;
  for (std::size_t at = 0; at <= path.size();) {
    const std::size_t slash = std::min(path.find('/', at), path.size());
    const std::string_view name = path.substr(at, slash - at);
    if (name.empty() || name == "." || name == ".." || name.size() > 255) return false;
    at = slash + 1;
  }
  return true;
}

}  // namespace

Expected<Pack> Pack::open(std::span<const std::byte> bytes) {
  Pack pack;
  pack.bytes_ = bytes;
  if (bytes.size() < kHeaderSize || std::memcmp(bytes.data(), kMagic.data(), kMagic.size()) != 0)
    return fail("invalid_pack", "the file is not a hotcell pack");
  std::memcpy(&pack.count_, bytes.data() + kMagic.size(), sizeof pack.count_);
  if (pack.count_ > kMaxCount || pack.count_ > (bytes.size() - kHeaderSize) / kEntrySize)
    return fail("invalid_pack", "the pack is shorter than its table of files");
  if (auto good = pack.check(); !good) return std::unexpected(good.error());
  return pack;
}

Expected<void> Pack::check() const {
  const std::uint64_t size = bytes_.size();
  for (std::uint32_t i = 0; i < count_; ++i) {
    const Entry e = entry(i);
    if (e.path_offset > size || e.path_length > size - e.path_offset || e.data_offset > size ||
        e.size > size - e.data_offset)
      return fail("invalid_pack", "entry " + std::to_string(i) + " of the pack points outside of it");
    if (!well_formed(path(i)))
      return fail("invalid_pack", "entry " + std::to_string(i) + " of the pack has a malformed path");
    if (i > 0 && path(i - 1) >= path(i))
      return fail("invalid_pack", "entry " + std::to_string(i) + " of the pack is out of order");
  }
  // "a" and "a/b" need not be neighbours ("a-c" sorts between them), so each directory is looked up among the files:
  // once, at the first path below it.
  std::string_view previous;
  for (std::uint32_t i = 0; i < count_; ++i) {
    const std::string_view whole = path(i);
    const auto [mine, theirs] = std::ranges::mismatch(whole, previous);
    const auto common = static_cast<std::size_t>(mine - whole.begin());
    previous = whole;
    for (std::size_t end = whole.find('/', common); end != whole.npos; end = whole.find('/', end + 1)) {
      const std::string_view directory = whole.substr(0, end);
      const std::uint32_t at = lower_bound(root(), directory, std::nullopt);
      if (at < count_ && path(at) == directory)
        return fail("invalid_pack", "the pack has '" + std::string(directory) + "' both as a file and as a directory");
    }
  }
  return {};
}

Pack::Entry Pack::entry(std::uint32_t index) const {
  static_assert(sizeof(Entry) == kEntrySize);
  Entry out;
  std::memcpy(&out, bytes_.data() + kHeaderSize + std::size_t{index} * kEntrySize, sizeof out);
  return out;
}

std::string_view Pack::path(std::uint32_t index) const {
  const Entry e = entry(index);
  return {reinterpret_cast<const char*>(bytes_.data()) + e.path_offset, e.path_length};
}

std::span<const std::byte> Pack::data(std::uint32_t index) const {
  const Entry e = entry(index);
  return bytes_.subspan(static_cast<std::size_t>(e.data_offset), static_cast<std::size_t>(e.size));
}

std::uint32_t Pack::lower_bound(Range range, std::string_view name, std::optional<char> end) const {
  std::uint32_t low = range.first;
  std::uint32_t high = range.last;
  while (low < high) {
    const std::uint32_t middle = low + (high - low) / 2;
    const std::string_view rest = path(middle).substr(range.prefix);
    int order = rest.substr(0, name.size()).compare(name);
    if (order == 0 && end) {
      if (rest.size() == name.size()) {
        order = -1;
      } else {
        const auto a = static_cast<unsigned char>(rest[name.size()]);
        const auto b = static_cast<unsigned char>(*end);
        order = a < b ? -1 : 0;
      }
    }
    if (order < 0) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

std::optional<Pack::Child> Pack::find(Range directory, std::string_view name) const {
  const std::uint32_t at = lower_bound(directory, name, std::nullopt);
  if (at == directory.last) return std::nullopt;
  if (path(at).substr(directory.prefix) == name) return Child{false, {at, at + 1, directory.prefix}};
  const std::uint32_t first = lower_bound({at, directory.last, directory.prefix}, name, '/');
  if (first == directory.last) return std::nullopt;
  const std::string_view rest = path(first).substr(directory.prefix);
  if (rest.size() <= name.size() || !rest.starts_with(name) || rest[name.size()] != '/') return std::nullopt;
  return child_at(directory, first);
}

Pack::Child Pack::child_at(Range directory, std::uint32_t index) const {
  const std::string_view rest = path(index).substr(directory.prefix);
  const std::size_t slash = rest.find('/');
  if (slash == rest.npos) return {false, {index, index + 1, directory.prefix}};
  // Everything below "name/" sorts before "name0": '0' follows '/'.
  const std::uint32_t last =
      lower_bound({index, directory.last, directory.prefix}, rest.substr(0, slash), static_cast<char>('/' + 1));
  return {true, {index, last, directory.prefix + static_cast<std::uint32_t>(slash) + 1}};
}

std::string_view Pack::name_at(Range directory, std::uint32_t index) const {
  const std::string_view rest = path(index).substr(directory.prefix);
  return rest.substr(0, rest.find('/'));
}

}  // namespace hotcell::wasi
