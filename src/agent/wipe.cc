#include "agent/wipe.h"

#include <fcntl.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "agent/folder.h"
#include "agent/mounts.h"
#include "agent/processes.h"
#include "agent/text.h"
#include "base/fd.h"

namespace hotcell::agent {
namespace {

// The kernel's own windows: there is nothing of a program's in them, or (mqueue) it is removed like files.
bool is_kernels(const std::string& type) {
  for (const char* known : {"proc", "sysfs", "cgroup", "cgroup2", "devpts", "devtmpfs", "debugfs", "tracefs",
                            "securityfs", "bpf", "fusectl", "configfs", "pstore"})
    if (type == known) return true;
  return false;
}

// Removes what it can of one folder's entries; a subfolder that is not empty is entered: the caller goes on there.
enum class Pass { empty, entered, failed };
Pass remove_entries(Fd& folder, dev_t device, std::uint64_t& removed, std::string& problem) {
  const auto entries = open_folder(folder.get(), ".");
  if (!entries) {
    problem = std::string("cannot list a folder: ") + std::strerror(errno);
    return Pass::failed;
  }
  while (const dirent* entry = next_entry(entries)) {
    if (unlinkat(folder.get(), entry->d_name, 0) == 0 || unlinkat(folder.get(), entry->d_name, AT_REMOVEDIR) == 0) {
      ++removed;
      continue;
    }
    struct stat about;
    const int why = errno;
    if (fstatat(folder.get(), entry->d_name, &about, AT_SYMLINK_NOFOLLOW) < 0) continue;
    if (S_ISDIR(about.st_mode) && about.st_dev == device && (why == ENOTEMPTY || why == EEXIST)) {
      fchmodat(folder.get(), entry->d_name, 0700, 0);  // it is a folder, and nobody is left who could swap it
      Fd next(openat(folder.get(), entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
      if (next) {
        folder = std::move(next);
        return Pass::entered;
      }
    }
    problem = "cannot remove \"" + std::string(entry->d_name) + "\": " + std::strerror(why);
    return Pass::failed;
  }
  return Pass::empty;
}

}  // namespace

// Down into the first folder that is not empty, and when one is, up again and through its parent from the beginning:
// all that was there before it is gone, so every entry is looked at a few times at most.
std::string empty_folder(int top, std::uint64_t& removed, Deadline deadline) {
  struct stat about;
  if (fstat(top, &about) < 0) return std::string("cannot look at a folder: ") + std::strerror(errno);
  Fd here(openat(top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  std::uint64_t depth = 0;
  std::string problem;
  while (here) {
    if (deadline.passed()) return "there was no time to remove everything";
    switch (remove_entries(here, about.st_dev, removed, problem)) {
      case Pass::entered:
        ++depth;
        break;
      case Pass::failed:
        return problem;
      case Pass::empty:
        if (depth-- == 0) return {};
        here = Fd(openat(here.get(), "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    }
  }
  return std::string("cannot enter a folder: ") + std::strerror(errno);
}

namespace {

// Identifiers in the second column of /proc/sysvipc/…, under a title line.
template <class Remove>
unsigned remove_listed(const char* path, std::uint64_t& removed, Remove remove) {
  const auto text = read_text(path, 4u << 20);
  std::string_view rest = text;
  next_line(rest);
  unsigned left = 0;
  while (!rest.empty()) {
    auto line = next_line(rest);
    next_word(line);
    const auto id = number_in(next_word(line));
    if (!id) continue;
    if (remove(static_cast<int>(*id)) == 0)
      ++removed;
    else
      ++left;
  }
  return left;
}

// A folder that no program can put anything into: there is no need to empty it.
bool out_of_reach(const Fd& folder) {
  struct stat about;
  const bool ours = fstat(folder.get(), &about) == 0 && about.st_uid == geteuid();
  return !ours && faccessat(folder.get(), ".", W_OK, AT_EACCESS) < 0;
}

// Calls visit(target, folder) for each mount that a program may have written to, until one says what is wrong.
template <class Visit>
std::string each_writable_mount(Visit visit) {
  for (const auto& mount : mounts()) {
    struct statvfs about;
    if (is_kernels(mount.type) || statvfs(mount.target.c_str(), &about) < 0 || about.f_flag & ST_RDONLY) continue;
    const Fd folder(open(mount.target.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!folder) {  // a single file that is mounted; a device, like the null that hides files of /proc, keeps nothing
      struct stat file;
      if (stat(mount.target.c_str(), &file) == 0 && S_ISCHR(file.st_mode)) continue;
      if (faccessat(AT_FDCWD, mount.target.c_str(), W_OK, AT_EACCESS) == 0)
        return mount.target + " is writable and cannot be emptied";
      continue;
    }
    if (out_of_reach(folder)) continue;
    if (auto problem = visit(mount.target, folder); !problem.empty()) return problem;
  }
  return {};
}

// Extended attributes may say something, and access lists decide about the files that come next.
std::string remove_attributes(const char* path) {
  char names[4096];
  const ssize_t size = llistxattr(path, names, sizeof names);
  if (size < 0) return errno == ENOTSUP ? std::string() : std::string("its attributes cannot be read");
  for (std::string_view rest(names, static_cast<std::size_t>(size)); !rest.empty();) {
    const std::string name(next_part(rest, '\0'));
    if (!name.starts_with("security.") && lremovexattr(path, name.c_str()) < 0) return "it keeps the attribute " + name;
  }
  return {};
}

// A key is kept per user, and so outlives every process. Where the call is refused here it was refused to programs too.
std::string check_keys() {
  constexpr int kGetKeyringId = 0, kClear = 7, kUserKeyring = -4;
  const long found = syscall(SYS_keyctl, kGetKeyringId, kUserKeyring, 0);
  if (found < 0) return {};
  if (syscall(SYS_keyctl, kClear, kUserKeyring) < 0) return "the user's keyring cannot be cleared";
  return {};
}

}  // namespace

std::string remove_ipc(std::uint64_t& removed) {
  // The namespace is the cell's own, so whatever there is was a program's. Twice: a segment goes with its last user.
  unsigned left = 0;
  for (int turn = 0; turn < 2; ++turn) {
    left = remove_listed("/proc/sysvipc/shm", removed, [](int id) { return shmctl(id, IPC_RMID, nullptr); });
    left += remove_listed("/proc/sysvipc/sem", removed, [](int id) { return semctl(id, 0, IPC_RMID); });
    left += remove_listed("/proc/sysvipc/msg", removed, [](int id) { return msgctl(id, IPC_RMID, nullptr); });
  }
  return left == 0 ? std::string() : std::to_string(left) + " IPC objects cannot be removed";
}

void Wiper::remember() {
  each_writable_mount([this](const std::string& target, const Fd& folder) {
    struct stat about;
    if (fstat(folder.get(), &about) == 0) modes_[target] = about.st_mode & 07777;
    return std::string();
  });
}

std::string Wiper::wipe_mounts(std::uint64_t& removed, Deadline deadline) {
  return each_writable_mount([&](const std::string& target, const Fd& folder) -> std::string {
    const auto mode = modes_.find(target);
    if (mode == modes_.end()) return target + " was not writable before";
    fchmodat(AT_FDCWD, target.c_str(), 0700, 0);  // fails where it is somebody else's, and then is not needed
    const Fd readable(openat(folder.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!readable) return target + " cannot be read: " + std::strerror(errno);
    auto problem = empty_folder(readable.get(), removed, deadline);
    if (problem.empty()) problem = remove_attributes(target.c_str());
    struct stat about;
    fchmod(readable.get(), mode->second);
    if (problem.empty() && (fstat(readable.get(), &about) < 0 || (about.st_mode & 07777) != mode->second))
      problem = "it has lost its permissions";
    return problem.empty() ? problem : "in " + target + ": " + problem;
  });
}

Cleaned Wiper::wipe(Deadline deadline, unsigned staying) {
  const auto start = Deadline::Clock::now();
  Cleaned out;
  if (staying == 0 && !kill_until_none(deadline, out.killed))
    out.problem = "a process could not be killed";
  else if (count_processes() != staying)
    out.problem = "a process is left";
  else if (out.problem = wipe_mounts(out.removed, deadline); out.problem.empty())
    if (out.problem = remove_ipc(out.removed); out.problem.empty()) out.problem = check_keys();
  out.clean = out.problem.empty();
  out.took_ns = static_cast<std::uint64_t>(std::chrono::nanoseconds(Deadline::Clock::now() - start).count());
  return out;
}

}  // namespace hotcell::agent
