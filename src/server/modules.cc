#include "server/modules.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "protocol/utf8.h"

namespace hotcell::server {

Expected<std::string> read_module(const std::filesystem::path& folder, std::string_view name) {
  constexpr std::size_t kLargestModule = 50u << 20;
  const std::string shown = "'" + protocol::shortened(name, 64) + "'";
  if (folder.empty())
    return fail("file_not_found", "there are no named modules here", "send the module itself, in base64");
  if (name.empty() || name.starts_with('/') || name.find('\0') != name.npos)
    return fail("invalid_field", shown + " is not the name of a module", "a name inside the modules folder");
  const Fd root(::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root) return fail_errno("cannot open the modules folder " + folder.string());
  open_how how{};
  how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  const Fd file(static_cast<int>(::syscall(SYS_openat2, root.get(), std::string(name).c_str(), &how, sizeof how)));
  struct stat info{};
  if (!file || ::fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode))
    return fail("file_not_found", "there is no module " + shown, "ask the operator which modules there are");
  return read_all(file.get(), kLargestModule, "the module " + shown);
}

}  // namespace hotcell::server
