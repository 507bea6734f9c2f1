#include "deps/process_locks.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <thread>

#include "deps/errors.h"

namespace hotcell::deps {
namespace {

struct flock one_byte(std::uint64_t number, short type) {
  struct flock out{};
  out.l_type = type;
  out.l_whence = SEEK_SET;
  out.l_start = static_cast<off_t>(number);
  out.l_len = 1;
  return out;
}

std::unexpected<Error> cannot_lock() {
  return fail("cache_unusable", "the file system of the dependency cache has no locks",
              "set DEPENDENCY_CACHE_DIR to a folder on a local disk");
}

}  // namespace

std::uint64_t lock_number(std::string_view hex_name) {
  std::uint64_t number = 0;
  const auto digits = hex_name.substr(0, 16);
  std::from_chars(digits.data(), digits.data() + digits.size(), number, 16);
  return number >> 2;  // an offset in a file: below 2^62
}

Expected<ProcessLocks> ProcessLocks::open(int folder, const char* name) {
  ProcessLocks out;
  out.name_ = name;
  out.folder_ = Fd(openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const Fd file(openat(folder, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!out.folder_ || !file) return cache_error("cannot open the lock file of the dependency cache");
  struct flock probe = one_byte(0, F_WRLCK);
  if (fcntl(file.get(), F_OFD_GETLK, &probe)) return cannot_lock();
  return out;
}

Expected<std::optional<Fd>> ProcessLocks::try_lock(std::uint64_t number, Kind kind) const {
  Fd file(openat(folder_.get(), name_.c_str(), O_RDWR | O_NOFOLLOW | O_CLOEXEC));
  if (!file) return cache_error("cannot open the lock file of the dependency cache");
  struct flock wanted = one_byte(number, kind == Kind::exclusive ? F_WRLCK : F_RDLCK);
  if (fcntl(file.get(), F_OFD_SETLK, &wanted) == 0) return std::optional<Fd>(std::move(file));
  if (errno == EAGAIN || errno == EACCES) return std::optional<Fd>();
  return errno == ENOLCK ? cannot_lock() : cache_error("cannot lock an entry of the dependency cache");
}

Expected<std::optional<Fd>> ProcessLocks::lock(std::uint64_t number, Kind kind, Deadline deadline) const {
  // The kernel's own wait knows no deadline. Installs take seconds: looking every 20 ms costs and delays nothing.
  for (auto pause = std::chrono::nanoseconds(200'000);;
       pause = std::min<std::chrono::nanoseconds>(pause * 2, std::chrono::milliseconds(20))) {
    auto got = try_lock(number, kind);
    if (!got || *got || deadline.passed()) return got;
    std::this_thread::sleep_for(std::min(pause, deadline.left()));
  }
}

Expected<bool> ProcessLocks::held(std::uint64_t number) const {
  const Fd file(openat(folder_.get(), name_.c_str(), O_RDWR | O_NOFOLLOW | O_CLOEXEC));
  if (!file) return cache_error("cannot open the lock file of the dependency cache");
  struct flock probe = one_byte(number, F_WRLCK);
  if (fcntl(file.get(), F_OFD_GETLK, &probe)) return cannot_lock();
  return probe.l_type != F_UNLCK;
}

}  // namespace hotcell::deps
