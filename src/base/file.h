// Files on the host, read with a cap and written so that a reader sees the old content or the new, never half.
#pragma once
#include <fcntl.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "base/error.h"
#include "base/fd.h"

namespace hotcell {

// For a folder that must be one itself, not a link to one.
inline constexpr int kOpenFolder = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

// The whole file, refused when it is larger than `cap`.
Expected<std::string> read_file(const std::filesystem::path& path, std::size_t cap);
// Everything until end of file from an open descriptor, refused past `cap`.
Expected<std::string> read_all(int fd, std::size_t cap, std::string_view name);

// Temporary file beside the target, fsync, rename, fsync of the folder: survives kill -9 at any line.
Expected<void> write_file_atomically(const std::filesystem::path& path, std::span<const std::uint8_t> data,
                                     unsigned mode = 0644);

Expected<void> write_all(int fd, std::span<const std::uint8_t> data);

// A read-only mapping of a regular file.
class MappedFile {
 public:
  static Expected<MappedFile> open(const std::filesystem::path& path);
  // The first `size` bytes of an open file; `fd` may be closed afterwards, and fd() is none.
  static Expected<MappedFile> map(int fd, std::size_t size, const std::string& name);
  MappedFile() = default;
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();
  std::span<const std::uint8_t> bytes() const { return {data_, size_}; }
  int fd() const { return fd_.get(); }

 private:
  Fd fd_;
  const std::uint8_t* data_ = nullptr;
  std::size_t size_ = 0;
};

// Refuses a folder or file that somebody other than root or the current user could have changed: what is loaded from it
// becomes native code.
Expected<void> require_trusted(const std::filesystem::path& path);

}  // namespace hotcell
