// A directory of the host that a program may read (`allowed_paths`).
//
// The descriptor comes from outside, opened by somebody who was allowed to. Everything below is reached with
// openat2(RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS): the kernel never follows a link for us and
// never leaves the directory. Symbolic links are shown to the guest as links, and the guest's own file system resolves
// them among its own paths: a link to /etc/passwd finds the guest's /etc/passwd, which doesn't exist.
// Only regular files, directories and links exist; devices, sockets and FIFOs don't.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "base/fd.h"
#include "wasi/fs/errno.h"

namespace hotcell::wasi {

enum class FileType : std::uint8_t {  // as WASI numbers them
  kUnknown = 0,
  kBlockDevice = 1,
  kCharacterDevice = 2,
  kDirectory = 3,
  kRegular = 4,
  kSymlink = 7,
};

class HostDirectory {
 public:
  virtual ~HostDirectory() = default;
  struct Info {
    FileType type = FileType::kUnknown;
    std::uint64_t size = 0;
    std::uint64_t atim = 0, mtim = 0, ctim = 0;  // ns
    std::string target;                          // of a symbolic link
  };
  static constexpr std::size_t kMaxEntries = 65536;  // of one listing

  // `path` is relative, without "." or ".."; empty means the directory itself.
  virtual Result<Info> look(const std::string& path) const = 0;
  virtual Result<Fd> open_file(const std::string& path) const = 0;
  // Names, sorted bytewise, without "." and "..". What is neither file, directory nor link is left out.
  virtual Result<std::vector<std::string>> list(const std::string& path) const = 0;
};

// One that this process can reach. A jailed worker cannot: it asks its engine, which has one of these.
class LocalDirectory final : public HostDirectory {
 public:
  explicit LocalDirectory(Fd directory) : directory_(std::move(directory)) {}
  Result<Info> look(const std::string& path) const override;
  Result<Fd> open_file(const std::string& path) const override;
  Result<std::vector<std::string>> list(const std::string& path) const override;

 private:
  Result<Fd> open_beneath(const std::string& path, std::uint64_t flags) const;

  Fd directory_;
};

// The host's errno as the guest's.
Errno errno_of_host(int error);

}  // namespace hotcell::wasi
