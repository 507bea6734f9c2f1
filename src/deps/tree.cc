#include "deps/tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "base/fd.h"
#include "base/file.h"
#include "deps/errors.h"
#include "deps/file_hash.h"

namespace hotcell::deps {
namespace {

constexpr int kOpenFile = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;

// The names in a folder, sorted. Through a description of its own: reading moves the position.
Expected<std::vector<std::string>> names_in(int folder, std::uint64_t most) {
  const int fd = openat(folder, ".", kOpenFolder);
  const std::unique_ptr<DIR, int (*)(DIR*)> listing(fd < 0 ? nullptr : fdopendir(fd), closedir);
  if (!listing) return cache_error("cannot list a folder of the dependency cache");
  std::vector<std::string> names;
  for (;;) {
    errno = 0;
    const dirent* item = readdir(listing.get());
    if (!item && errno) return cache_error("cannot list a folder of the dependency cache");
    if (!item) break;
    const std::string_view name = item->d_name;
    if (name == "." || name == "..") continue;
    if (names.size() >= most) return fail("install_invalid", "there are too many files in the installed packages");
    names.emplace_back(name);
  }
  std::ranges::sort(names);
  return names;
}

// Opens what an odd mode keeps even its owner from opening.
Fd open_at(int parent, const std::string& name, int flags, unsigned mode_if_closed) {
  Fd fd(openat(parent, name.c_str(), flags));
  if (!fd && errno == EACCES && mode_if_closed && fchmodat(parent, name.c_str(), mode_if_closed, 0) == 0)
    fd.reset(openat(parent, name.c_str(), flags));
  return fd;
}

std::uint64_t on_disk(std::uint64_t size) { return (size + 4095) / 4096 * 4096; }

class Walk {
 public:
  Walk(const TreeLimits& limits, Deadline deadline, bool seal) : limits_(limits), deadline_(deadline), seal_(seal) {}

  Expected<Tree> run(int folder) {
    if (auto done = directory(folder, ".", 0); !done) return std::unexpected(done.error());
    std::ranges::sort(tree_.items, {}, &TreeItem::path);
    return std::move(tree_);
  }

 private:
  Expected<void> directory(int fd, const std::string& path, int depth) {
    if (depth > limits_.max_depth) return invalid(path, "is nested too deeply");
    if (deadline_.passed()) return fail("dependency_timeout", "the time was over while packages were being checked");
    if (seal_) fchmod(fd, 0700);  // so that a file with a second name can be replaced
    auto names = names_in(fd, limits_.max_items);
    if (!names) return std::unexpected(names.error());
    for (const auto& name : *names)
      if (auto done = item(fd, name, path == "." ? name : std::string(path).append("/").append(name), depth); !done)
        return done;
    if (seal_) {
      if (auto done = own(fd, path, 0555); !done) return done;
    }
    struct stat st{};
    if (fstat(fd, &st)) return cache_error("cannot look at " + path);
    return add({TreeItem::Kind::directory, path, st.st_mode & 07777u, 0, {}, {}}, 4096);
  }

  Expected<void> item(int parent, const std::string& name, const std::string& path, int depth) {
    struct stat st{};
    if (fstatat(parent, name.c_str(), &st, AT_SYMLINK_NOFOLLOW)) return cache_error("cannot look at " + path);
    if (path.size() > 4000) return invalid(path, "has too long a path");
    if (S_ISDIR(st.st_mode)) {
      const Fd fd = open_at(parent, name, kOpenFolder, seal_ ? 0700 : 0);
      return fd ? directory(fd.get(), path, depth + 1) : cache_error("cannot open " + path);
    }
    if (S_ISLNK(st.st_mode)) return link(parent, name, path);
    if (!S_ISREG(st.st_mode)) {
      if (seal_) return invalid(path, "is neither a file nor a folder nor a link");
      return add({TreeItem::Kind::other, path, st.st_mode & 07777u, 0, {}, {}}, 0);
    }
    if (seal_ && st.st_nlink > 1)
      if (auto done = separate(parent, name, path); !done) return done;
    const Fd fd = open_at(parent, name, kOpenFile, seal_ ? 0400 : 0);
    if (!fd) return cache_error("cannot open " + path);
    if (seal_)
      if (auto done = own(fd.get(), path, st.st_mode & 0111 ? 0555 : 0444); !done) return done;
    const auto hash = hash_file(fd.get(), limits_.max_bytes);
    if (!hash) return std::unexpected(hash.error());
    if (fstat(fd.get(), &st)) return cache_error("cannot look at " + path);
    return add({TreeItem::Kind::file, path, st.st_mode & 07777u, hash->bytes, hash->digest, {}}, on_disk(hash->bytes));
  }

  Expected<void> link(int parent, const std::string& name, const std::string& path) {
    char target[4096];
    const ssize_t size = readlinkat(parent, name.c_str(), target, sizeof target);
    if (size < 0) return cache_error("cannot read the link " + path);
    const std::string_view text(target, static_cast<std::size_t>(size));
    if (seal_ && !link_stays_inside(path, text)) return invalid(path, "is a link that leads out of the packages");
    if (seal_ && fchownat(parent, name.c_str(), geteuid(), getegid(), AT_SYMLINK_NOFOLLOW))
      return cache_error("cannot take over " + path);
    return add({TreeItem::Kind::link, path, 0777, text.size(), {}, std::string(text)}, 0);
  }

  // A file with a second name could be changed through that. It gets a content of its own.
  Expected<void> separate(int parent, const std::string& name, const std::string& path) {
    const std::string copy = ".hotcell-copy";
    const Fd from = open_at(parent, name, kOpenFile, 0400);
    const Fd to(openat(parent, copy.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    struct stat st{};
    if (!from || !to || fstat(from.get(), &st)) return cache_error("cannot copy " + path);
    std::vector<std::uint8_t> chunk(std::size_t{256} << 10);
    for (;;) {
      const ssize_t n = ::read(from.get(), chunk.data(), chunk.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return cache_error("cannot read " + path);
      if (n == 0) break;
      errno = 0;
      if (!write_all(to.get(), {chunk.data(), static_cast<std::size_t>(n)})) return cache_error("cannot copy " + path);
    }
    const timespec times[2] = {st.st_atim, st.st_mtim};  // Python compares the time of a source with its compiled form
    futimens(to.get(), times);
    fchmod(to.get(), st.st_mode & 0111 ? 0700 : 0600);
    if (renameat(parent, copy.c_str(), parent, name.c_str())) return cache_error("cannot copy " + path);
    return {};
  }

  Expected<void> own(int fd, const std::string& path, unsigned mode) {
    struct stat st{};
    if (fstat(fd, &st)) return cache_error("cannot look at " + path);
    if ((st.st_uid != geteuid() || st.st_gid != getegid()) && fchown(fd, geteuid(), getegid()))
      return cache_error("cannot take over " + path);
    if (fchmod(fd, mode)) return cache_error("cannot protect " + path);
    return {};
  }

  Expected<void> add(TreeItem item, std::uint64_t bytes) {
    tree_.bytes += bytes;
    if (tree_.items.size() >= limits_.max_items) return invalid(item.path, "is one file too many");
    if (tree_.bytes > limits_.max_bytes)
      return fail("install_too_large",
                  "the installed packages have more than " + std::to_string(limits_.max_bytes >> 20) + " MiB");
    tree_.items.push_back(std::move(item));
    return {};
  }

  static std::unexpected<Error> invalid(const std::string& path, const std::string& why) {
    return fail("install_invalid", "the installed packages cannot be kept: " + path + " " + why);
  }

  const TreeLimits& limits_;
  Deadline deadline_;
  bool seal_;
  Tree tree_;
};

// Removes what is in a folder. Below kDepth folders are moved beside `top` first, to be removed in their turn: each
// level of recursion holds a descriptor.
constexpr int kDepth = 100;

struct Removal {
  int parent;
  std::string top;
  std::vector<std::string> moved;

  Expected<void> empty(int folder, int depth) {
    struct stat st{};
    if (fstat(folder, &st)) return cache_error("cannot look at a folder that is to be removed");
    if ((st.st_mode & 0700) != 0700 && fchmod(folder, 0700)) return cache_error("cannot unprotect a folder");
    const auto names = names_in(folder, UINT64_MAX);
    if (!names) return std::unexpected(names.error());
    for (const auto& name : *names) {
      if (unlinkat(folder, name.c_str(), 0) == 0 || errno == ENOENT) continue;
      if (errno != EISDIR && errno != EPERM) return cache_error("cannot remove a file of the dependency cache");
      const Fd child = open_at(folder, name, kOpenFolder, 0700);
      if (!child && errno == ENOENT) continue;
      if (!child) return cache_error("cannot remove a file of the dependency cache");
      if (depth >= kDepth) {
        fchmod(child.get(), 0700);  // a folder that moves is written to: its ".." changes
        moved.push_back(top + "." + std::to_string(moved.size()));
        if (renameat(folder, name.c_str(), parent, moved.back().c_str()))
          return cache_error("cannot move a deep folder up");
        continue;
      }
      if (auto done = empty(child.get(), depth + 1); !done) return done;
      if (unlinkat(folder, name.c_str(), AT_REMOVEDIR) && errno != ENOENT)
        return cache_error("cannot remove a folder of the dependency cache");
    }
    return {};
  }

  Expected<void> remove(const std::string& name) {
    if (unlinkat(parent, name.c_str(), 0) == 0 || errno == ENOENT) return {};
    if (errno != EISDIR && errno != EPERM) return cache_error("cannot remove " + name);
    const Fd folder = open_at(parent, name, kOpenFolder, 0700);
    if (!folder) return errno == ENOENT ? Expected<void>{} : cache_error("cannot remove " + name);
    if (auto done = empty(folder.get(), 0); !done) return done;
    if (unlinkat(parent, name.c_str(), AT_REMOVEDIR) && errno != ENOENT) return cache_error("cannot remove " + name);
    return {};
  }
};

}  // namespace

bool link_stays_inside(std::string_view path, std::string_view target) {
  if (target.empty() || target.starts_with('/') || target.find('\0') != target.npos) return false;
  // Only "../" at the beginning, at most as often as there are real folders above the link. Any later ".." would be
  // resolved from wherever the links before it lead.
  auto above = std::ranges::count(path, '/');
  while (target == ".." || target.starts_with("../")) {
    if (--above < 0) return false;
    target.remove_prefix(std::min<std::size_t>(3, target.size()));
  }
  while (!target.empty()) {
    const auto part = target.substr(0, target.find('/'));
    if (part == "..") return false;
    target.remove_prefix(std::min(part.size() + 1, target.size()));
  }
  return true;
}

Expected<Tree> seal_tree(int folder, const TreeLimits& limits, Deadline deadline) {
  return Walk(limits, deadline, true).run(folder);
}

Expected<Tree> read_tree(int folder, const TreeLimits& limits, Deadline deadline) {
  return Walk(limits, deadline, false).run(folder);
}

Expected<void> remove_tree(int parent, const std::string& name) {
  Removal removal{parent, name, {}};
  if (auto done = removal.remove(name); !done) return done;
  for (std::size_t i = 0; i < removal.moved.size(); ++i)  // grows while it is worked on
    if (auto done = removal.remove(std::string(removal.moved[i])); !done) return done;
  return {};
}

}  // namespace hotcell::deps
