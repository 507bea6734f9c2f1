#include "agent/files_in.h"

#include <fcntl.h>

#include <cerrno>
#include <cstring>
#include <ctime>

#include "agent/beneath.h"

namespace hotcell::agent {

namespace {

// A file system's clock may stand still for 10 ms, and a program may well have changed a file that long after we wrote
// it. So a given file is dated back: the first write to it moves its time, however soon it comes.
constexpr std::int64_t kDatedBackNs = 50'000'000;

std::int64_t ns_of(const timespec& time) {
  return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

bool date_back(int file) {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  const auto ns = ns_of(now) - kDatedBackNs;
  const timespec times[2] = {{0, UTIME_OMIT}, {ns / 1'000'000'000, ns % 1'000'000'000}};
  return futimens(file, times) == 0;
}

}  // namespace

Identity Identity::of(const struct stat& about) {
  return {about.st_dev, about.st_ino, about.st_size, ns_of(about.st_mtim), ns_of(about.st_ctim)};
}

void FilesIn::fail(const std::string& path, int error_number) {
  if (problem_.empty()) problem_ = "cannot write " + path + ": " + std::strerror(error_number);
  file_.reset();
}

bool FilesIn::open(const FileIn& file) {
  const Fd root(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
  const auto parent = make_parent(root.get(), std::string_view(file.path).substr(1));
  if (!parent) return false;
  const char* name = parent->name.c_str();
  if (file.directory) {
    if (mkdirat(parent->folder.get(), name, 0755) < 0 && errno != EEXIST) return false;
    const auto made = open_beneath(parent->folder.get(), name, O_RDONLY | O_DIRECTORY);
    return made && fchmod(made.get(), file.mode) == 0;
  }
  file_ = open_beneath(parent->folder.get(), name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  struct stat about;
  if (!file_ || fstat(file_.get(), &about) < 0) return false;
  if (S_ISREG(about.st_mode)) return true;
  errno = EEXIST;  // something of that name is there already, and is no file
  return false;
}

void FilesIn::write(const FileIn& file) {
  auto rest = file.bytes;
  while (!rest.empty()) {
    const ssize_t done = ::write(file_.get(), rest.data(), rest.size());
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return fail(file.path, errno);
    rest.remove_prefix(static_cast<std::size_t>(done));
  }
  if (!file.last) return;
  struct stat about;
  if (fchmod(file_.get(), file.mode) < 0 || !date_back(file_.get()) || fstat(file_.get(), &about) < 0)
    return fail(file.path, errno);
  given_.insert_or_assign(file.path, Identity::of(about));
  file_.reset();
}

void FilesIn::take(const FileIn& file) {
  if (!problem_.empty()) return;
  if (file.first) {
    file_.reset();
    if (given_.size() >= kMaxFilesIn) return fail(file.path, EMFILE);
    open_path_ = file.path;
    if (!open(file)) return fail(file.path, errno);
  } else if (!file_ || file.path != open_path_) {
    if (problem_.empty()) problem_ = "a part of " + file.path + " came without its beginning";
    return;
  }
  if (!file.directory) write(file);
}

void FilesIn::finish() {
  if (file_ && problem_.empty()) problem_ = "the end of " + open_path_ + " did not come";
  file_.reset();
}

}  // namespace hotcell::agent
