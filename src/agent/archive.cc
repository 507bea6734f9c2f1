#include "agent/archive.h"

#include <fcntl.h>
#include <sys/mman.h>

#include <array>

#include "base/bytes.h"

namespace hotcell::agent {
namespace {

constexpr std::array<std::uint32_t, 256> crc_table() {
  std::array<std::uint32_t, 256> out{};
  for (std::uint32_t n = 0; n < 256; ++n) {
    std::uint32_t c = n;
    for (int bit = 0; bit < 8; ++bit) c = c & 1 ? 0xEDB88320u ^ (c >> 1) : c >> 1;
    out[n] = c;
  }
  return out;
}

std::uint32_t crc32(std::string_view bytes) {
  static constexpr auto kTable = crc_table();
  std::uint32_t c = ~0u;
  for (const char byte : bytes) c = kTable[(c ^ static_cast<unsigned char>(byte)) & 0xFF] ^ (c >> 8);
  return ~c;
}

constexpr std::uint16_t kVersion = 10;
constexpr std::uint16_t kFirstOfJanuary1980 = 0x21;

}  // namespace

std::string zip_of(const std::vector<ZipEntry>& entries) {
  ByteWriter out, directory;
  for (const auto& [name, content] : entries) {
    const auto size = static_cast<std::uint32_t>(content.size());
    const auto offset = static_cast<std::uint32_t>(out.bytes().size());
    // What the local header and the central directory say alike.
    ByteWriter common;
    common.put(kVersion);
    common.put<std::uint32_t>(0);  // flags, stored
    common.put<std::uint16_t>(0);  // midnight
    common.put(kFirstOfJanuary1980);
    common.put(crc32(content));
    common.put(size);
    common.put(size);
    common.put(static_cast<std::uint16_t>(name.size()));
    common.put<std::uint16_t>(0);  // no extra field

    out.put<std::uint32_t>(0x04034b50);
    out.bytes().append(common.bytes()).append(name).append(content);
    directory.put<std::uint32_t>(0x02014b50);
    directory.put(kVersion);
    directory.bytes().append(common.bytes());
    for (int zero = 0; zero < 5; ++zero) directory.put<std::uint16_t>(0);  // no comment, disk 0, attributes
    directory.put(offset);
    directory.bytes().append(name);
  }
  const auto begin = static_cast<std::uint32_t>(out.bytes().size());
  out.bytes().append(directory.bytes());
  out.put<std::uint32_t>(0x06054b50);
  out.put<std::uint32_t>(0);  // disk 0 of one
  out.put(static_cast<std::uint16_t>(entries.size()));
  out.put(static_cast<std::uint16_t>(entries.size()));
  out.put(static_cast<std::uint32_t>(directory.bytes().size()));
  out.put(begin);
  out.put<std::uint16_t>(0);
  return std::move(out.bytes());
}

Fd sealed_memory(const char* name, std::string_view content) {
  Fd file(memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!file) return file;
  for (auto rest = content; !rest.empty();) {
    const ssize_t done = write(file.get(), rest.data(), rest.size());
    if (done <= 0) return Fd();
    rest.remove_prefix(static_cast<std::size_t>(done));
  }
  fcntl(file.get(), F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
  return file;
}

}  // namespace hotcell::agent
