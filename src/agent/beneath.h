// Opening paths that somebody else may have laid traps on: no symbolic link is followed, nowhere on the way.
#pragma once
#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/fd.h"

namespace hotcell::agent {

// `path` is relative to `folder`, without "..": ELOOP for a link, and so on, in errno. Never blocks on a FIFO.
Fd open_beneath(int folder, std::string_view path, int flags, mode_t mode = 0);

// The folder that holds `path`'s last name, made if it is missing; and that name.
struct Parent {
  Fd folder;
  std::string name;
};
std::optional<Parent> make_parent(int folder, std::string_view path);

}  // namespace hotcell::agent
