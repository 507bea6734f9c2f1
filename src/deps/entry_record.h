// What an entry says about itself, signed with the cache's secret: the file `record` in its folder.
//
// It is small, so that every use of an entry can check it, and it vouches for the manifest, which is large. Nothing
// without a valid record is ever served: not a folder from another installation, not one that was renamed, not one that
// somebody began to make and did not finish.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/hash.h"
#include "deps/key.h"
#include "deps/lock.h"

namespace hotcell::deps {

struct EntryRecord {
  std::string name;   // of the folder
  std::string place;  // of the folder it is in: "shared" or "scoped/<hex>"
  Digest key{};       // entry_key()
  Target target;
  std::uint64_t items = 0;  // files, folders and links
  std::uint64_t bytes = 0;  // on disk
  std::int64_t created_ms = 0;
  std::uint64_t install_ms = 0;
  Digest manifest{};  // SHA-256 of the file `manifest`
  std::uint64_t manifest_bytes = 0;
  Lock lock;

  bool operator==(const EntryRecord&) const = default;
};

std::string record_text(const EntryRecord& record, const Digest& secret);
// "cache_damaged" when a byte of it differs from what was written with this secret.
Expected<EntryRecord> parse_record(std::string_view text, const Digest& secret);

inline constexpr std::size_t kMaxRecordBytes = kMaxLockBytes + 4096;

}  // namespace hotcell::deps
