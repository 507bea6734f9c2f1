#include "wasi/fs/host_dir.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string_view>

namespace hotcell::wasi {
namespace {

FileType type_of_mode(mode_t mode) {
  if (S_ISREG(mode)) return FileType::kRegular;
  if (S_ISDIR(mode)) return FileType::kDirectory;
  if (S_ISLNK(mode)) return FileType::kSymlink;
  return FileType::kUnknown;
}

std::uint64_t nanoseconds(const timespec& time) {
  if (time.tv_sec < 0) return 0;
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(time.tv_nsec);
}

}  // namespace

Errno errno_of_host(int error) {
  switch (error) {
    case EACCES:
      return Errno::kAccess;
    case EPERM:
      return Errno::kPerm;
    case ENOENT:
      return Errno::kNoent;
    case ENOTDIR:
      return Errno::kNotdir;
    case EISDIR:
      return Errno::kIsdir;
    case ELOOP:
      return Errno::kLoop;
    case ENAMETOOLONG:
      return Errno::kNametoolong;
    case EMFILE:
      return Errno::kMfile;
    case ENFILE:
      return Errno::kNfile;
    case ENOMEM:
      return Errno::kNomem;
    case EXDEV:
      return Errno::kXdev;
    case EINTR:
      return Errno::kIntr;
    case EAGAIN:
      return Errno::kAgain;
    case EINVAL:
      return Errno::kInval;
    case EOVERFLOW:
      return Errno::kOverflow;
    default:
      return Errno::kIo;
  }
}

Result<Fd> LocalDirectory::open_beneath(const std::string& path, std::uint64_t flags) const {
  open_how how{};
  how.flags = flags | O_CLOEXEC | O_NOFOLLOW;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  // With O_PATH | O_NOFOLLOW a link in the last place is opened itself, which RESOLVE_NO_SYMLINKS would refuse; the
  // links before it are still refused, because the guest's walk never asks for a path through one.
  if ((flags & O_PATH) != 0) how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  const char* name = path.empty() ? "." : path.c_str();
  for (int attempt = 0;; ++attempt) {
    const long fd = syscall(SYS_openat2, directory_.get(), name, &how, sizeof how);
    if (fd >= 0) return Fd(static_cast<int>(fd));
    // EAGAIN: a rename raced with the lookup, which the kernel therefore can't vouch for.
    if ((errno != EAGAIN && errno != EINTR) || attempt == 8) return fail_with(errno_of_host(errno));
  }
}

Result<HostDirectory::Info> LocalDirectory::look(const std::string& path) const {
  auto fd = open_beneath(path, O_PATH);
  if (!fd) return fail_with(fd.error());
  struct stat st{};
  if (fstat(fd->get(), &st) != 0) return fail_with(errno_of_host(errno));
  Info info;
  info.type = type_of_mode(st.st_mode);
  if (info.type == FileType::kUnknown) return fail_with(Errno::kNoent);
  info.size = info.type == FileType::kRegular ? static_cast<std::uint64_t>(st.st_size) : 0;
  info.atim = nanoseconds(st.st_atim);
  info.mtim = nanoseconds(st.st_mtim);
  info.ctim = nanoseconds(st.st_ctim);
  if (info.type == FileType::kSymlink) {
    char target[4096];
    const ssize_t length = readlinkat(fd->get(), "", target, sizeof target);
    if (length < 0) return fail_with(errno_of_host(errno));
    if (length == 0 || length == sizeof target) return fail_with(Errno::kNametoolong);
    info.target.assign(target, static_cast<std::size_t>(length));
    info.size = info.target.size();
  }
  return info;
}

Result<Fd> LocalDirectory::open_file(const std::string& path) const {
  // Looked at before it is opened: opening a device or FIFO can have effects.
  auto info = look(path);
  if (!info) return fail_with(info.error());
  if (info->type != FileType::kRegular) return fail_with(Errno::kNoent);
  auto fd = open_beneath(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  if (!fd) return fd;
  struct stat st{};
  if (fstat(fd->get(), &st) != 0) return fail_with(errno_of_host(errno));
  if (!S_ISREG(st.st_mode)) return fail_with(Errno::kNoent);
  return fd;
}

Result<std::vector<std::string>> LocalDirectory::list(const std::string& path) const {
  auto fd = open_beneath(path, O_RDONLY | O_DIRECTORY);
  if (!fd) return fail_with(fd.error());
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(fdopendir(fd->get()), closedir);
  if (!directory) return fail_with(errno_of_host(errno));
  (void)fd->release();  // closedir closes it
  std::vector<std::string> names;
  for (;;) {
    errno = 0;
    const dirent* entry = readdir(directory.get());
    if (!entry) {
      if (errno != 0) return fail_with(errno_of_host(errno));
      break;
    }
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    if (entry->d_type != DT_REG && entry->d_type != DT_DIR && entry->d_type != DT_LNK && entry->d_type != DT_UNKNOWN)
      continue;
    if (names.size() == kMaxEntries) return fail_with(Errno::kOverflow);
    names.emplace_back(name);
  }
  std::ranges::sort(names);
  return names;
}

}  // namespace hotcell::wasi
