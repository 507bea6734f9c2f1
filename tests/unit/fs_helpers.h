// Short ways to talk to a Vfs in tests.
#pragma once
#include <cstring>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "wasi/fs/vfs.h"

namespace hotcell::wasi::testing {

inline std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

inline At at_root(Vfs& vfs) { return {&vfs.root(), &vfs.root()}; }

inline Result<NodeRef> create(Vfs& vfs, std::string_view path) {
  return vfs.open(at_root(vfs), path, {.create = true, .write = true});
}

inline Errno put(Vfs& vfs, std::string_view path, std::string_view text) {
  auto file = vfs.open(at_root(vfs), path, {.create = true, .truncate = true, .write = true});
  if (!file) return file.error();
  const auto written = vfs.write(**file, 0, bytes_of(text));
  if (!written) return written.error();
  return *written == text.size() ? Errno::kSuccess : Errno::kNospc;
}

inline std::string content(Vfs& vfs, Node& node) {
  std::string out(static_cast<std::size_t>(vfs.size(node)), '?');
  const auto count = vfs.read(node, 0, std::as_writable_bytes(std::span(out)));
  if (!count) return "error " + std::to_string(static_cast<int>(count.error()));
  out.resize(*count);
  return out;
}

inline std::string get(Vfs& vfs, std::string_view path) {
  auto file = vfs.open(at_root(vfs), path, {.follow = true});
  if (!file) return "error " + std::to_string(static_cast<int>(file.error()));
  return content(vfs, **file);
}

inline Errno stat_error(Vfs& vfs, std::string_view path, bool follow = true) {
  const auto stat = vfs.stat(at_root(vfs), path, follow);
  return stat ? Errno::kSuccess : stat.error();
}

inline std::vector<std::string> names(Vfs& vfs, std::string_view path) {
  std::vector<std::string> out;
  auto node = vfs.find(path);
  if (!node) return {"error"};
  Vfs::DirectoryEntry entry;
  for (std::uint64_t cookie = 0;; cookie = entry.next) {
    const auto more = vfs.next_entry(**node, cookie, entry);
    if (!more || !*more) return out;
    if (entry.name != "." && entry.name != "..") out.emplace_back(entry.name);
  }
}

// The bytes of a pack with these files, in the given order.
inline std::string make_pack(const std::vector<std::pair<std::string, std::string>>& files) {
  std::string table;
  std::string blobs;
  const std::uint64_t blobs_at = 16 + files.size() * 32;
  const auto u64 = [&table](std::uint64_t value) { table.append(reinterpret_cast<const char*>(&value), 8); };
  for (const auto& [path, data] : files) {
    u64(blobs_at + blobs.size());
    u64(path.size());  // u32 length, u32 reserved
    blobs += path;
    u64(blobs_at + blobs.size());
    u64(data.size());
    blobs += data;
  }
  std::string out = "HCPACK1\n";
  const std::uint64_t count = files.size();
  out.append(reinterpret_cast<const char*>(&count), 8);
  return out + table + blobs;
}

}  // namespace hotcell::wasi::testing

// So that failures show a number.
namespace hotcell::wasi {
inline void PrintTo(Errno error, std::ostream* out) { *out << "Errno " << static_cast<int>(error); }
}  // namespace hotcell::wasi
