#include "install/downloads.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "deps/errors.h"
#include "deps/tree.h"

namespace hotcell::install {
namespace {

namespace fs = std::filesystem;
using deps::ProcessLocks;

constexpr std::uint64_t kLock = 0;
// Who would count longer than that throws away: so many files are too many.
constexpr std::uint64_t kMostFiles = 2'000'000;

}  // namespace

Expected<Downloads> Downloads::open(const fs::path& folder) {
  if (mkdir(folder.c_str(), 0700) && errno != EEXIST) return deps::cache_error("cannot create " + folder.string());
  Fd fd(::open(folder.c_str(), kOpenFolder));
  if (!fd) return deps::cache_error("cannot open " + folder.string());
  struct stat st{};
  if (fstat(fd.get(), &st)) return deps::cache_error("cannot look at " + folder.string());
  if (st.st_uid != geteuid())
    return fail("untrusted_path", folder.string() + " belongs to another user",
                "remove it, or run hotcell as its owner");
  if ((st.st_mode & 07777) != 0700 && fchmod(fd.get(), 0700))
    return deps::cache_error("cannot protect " + folder.string());
  auto locks = ProcessLocks::open(fd.get(), "lock");
  if (!locks) return std::unexpected(locks.error());
  Downloads out(folder, std::move(fd), std::move(*locks));
  if (auto made = out.make_content(); !made) return std::unexpected(made.error());
  return out;
}

Expected<void> Downloads::make_content() const {
  if (mkdirat(fd_.get(), "content", 0700) && errno != EEXIST)
    return deps::cache_error("cannot create " + folder_.string() + "/content");
  // A builder of root's is another user (docker/builder.cc). Nobody else can get here: the folder above is closed.
  if (geteuid() == 0 && fchmodat(fd_.get(), "content", 0777, 0))
    return deps::cache_error("cannot open " + folder_.string() + "/content to builders");
  return {};
}

Expected<Fd> Downloads::use(Deadline deadline) const {
  auto lock = locks_.lock(kLock, ProcessLocks::Kind::shared, deadline);
  if (!lock) return std::unexpected(lock.error());
  if (!*lock) return fail("dependency_timeout", "another process has been clearing the downloads for too long");
  if (auto made = make_content(); !made) return std::unexpected(made.error());
  return std::move(**lock);
}

void Downloads::shrink(std::uint64_t max_bytes) const {
  std::uint64_t bytes = 0, files = 0;
  std::error_code error;
  for (fs::recursive_directory_iterator at(folder_, fs::directory_options::skip_permission_denied, error), end;
       !error && at != end; at.increment(error)) {
    struct stat st{};
    if (lstat(at->path().c_str(), &st) == 0) bytes += static_cast<std::uint64_t>(st.st_blocks) * 512;
    if (bytes > max_bytes || ++files > kMostFiles) break;
  }
  if (bytes <= max_bytes && files <= kMostFiles) return;
  const auto alone = locks_.try_lock(kLock, ProcessLocks::Kind::exclusive);
  if (alone && *alone) (void)deps::remove_tree(fd_.get(), "content");
}

}  // namespace hotcell::install
