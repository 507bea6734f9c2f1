// Reading a folder's entries.
#pragma once
#include <dirent.h>
#include <fcntl.h>

#include <memory>

#include "base/fd.h"

namespace hotcell::agent {

struct CloseFolder {
  void operator()(DIR* folder) const { closedir(folder); }
};
using Folder = std::unique_ptr<DIR, CloseFolder>;

// Null: it cannot be opened, or is none; errno says why. Follows no link.
inline Folder open_folder(int at, const char* name) {
  Fd fd(openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
  if (!fd) return nullptr;
  Folder out(fdopendir(fd.get()));
  if (out) fd.release();
  return out;
}
inline Folder open_folder(const char* path) { return open_folder(AT_FDCWD, path); }

// Its next entry but itself and its parent; null at the end.
inline const dirent* next_entry(const Folder& folder) {
  while (const dirent* entry = folder ? readdir(folder.get()) : nullptr) {
    const char* name = entry->d_name;
    const bool dots = name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
    if (!dots) return entry;
  }
  return nullptr;
}

}  // namespace hotcell::agent
