#include "agent/beneath.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <cerrno>

#include "agent/text.h"

namespace hotcell::agent {
namespace {

constexpr int kAlways = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;

// One name at a time, for kernels (and sandboxes in the kernel's place) without openat2().
Fd open_step_by_step(int folder, std::string_view path, int flags, mode_t mode) {
  Fd here;
  for (;;) {
    const std::string name(next_part(path, '/'));
    if (name.empty() || name == "." || name == "..") {
      errno = EXDEV;
      return Fd();
    }
    const int at = here ? here.get() : folder;
    if (path.empty()) return Fd(openat(at, name.c_str(), flags | kAlways, mode));
    here = Fd(openat(at, name.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
    if (!here) return Fd();
  }
}

}  // namespace

Fd open_beneath(int folder, std::string_view path, int flags, mode_t mode) {
  const std::string text(path);
  open_how how{};
  how.flags = static_cast<std::uint64_t>(flags | kAlways);
  if (flags & O_PATH) how.flags &= ~static_cast<std::uint64_t>(O_NONBLOCK | O_NOCTTY);
  if (flags & O_CREAT) how.mode = mode;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  const long got = syscall(SYS_openat2, folder, text.c_str(), &how, sizeof how);
  if (got >= 0) return Fd(static_cast<int>(got));
  if (errno != ENOSYS && errno != EPERM) return Fd();
  return open_step_by_step(folder, path, flags, mode);
}

std::optional<Parent> make_parent(int folder, std::string_view path) {
  Parent out;
  out.folder = Fd(openat(folder, ".", O_PATH | O_DIRECTORY | O_CLOEXEC));
  for (;;) {
    out.name = next_part(path, '/');
    if (path.empty()) return out;
    auto next = open_beneath(out.folder.get(), out.name, O_PATH | O_DIRECTORY);
    if (!next && errno == ENOENT) {
      if (mkdirat(out.folder.get(), out.name.c_str(), 0755) < 0) return std::nullopt;
      next = open_beneath(out.folder.get(), out.name, O_PATH | O_DIRECTORY);
    }
    if (!next) return std::nullopt;
    out.folder = std::move(next);
  }
}

}  // namespace hotcell::agent
