#include "base/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>

namespace hotcell {

namespace fs = std::filesystem;

Expected<std::string> read_all(int fd, std::size_t cap, std::string_view name) {
  std::string out;
  struct stat st{};
  if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) out.reserve(std::min<std::size_t>(st.st_size, cap) + 1);
  char chunk[65536];
  for (;;) {
    const ssize_t n = ::read(fd, chunk, sizeof chunk);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno("cannot read " + std::string(name));
    if (n == 0) return out;
    if (out.size() + static_cast<std::size_t>(n) > cap)
      return fail("file_too_large", std::string(name) + " is larger than " + std::to_string(cap) + " bytes");
    out.append(chunk, static_cast<std::size_t>(n));
  }
}

Expected<std::string> read_file(const fs::path& path, std::size_t cap) {
  Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return fail_errno("cannot open " + path.string());
  return read_all(fd.get(), cap, path.string());
}

Expected<void> write_all(int fd, std::span<const std::uint8_t> data) {
  while (!data.empty()) {
    const ssize_t n = ::write(fd, data.data(), data.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno("cannot write");
    data = data.subspan(static_cast<std::size_t>(n));
  }
  return {};
}

Expected<void> write_file_atomically(const fs::path& path, std::span<const std::uint8_t> data, unsigned mode) {
  std::string temporary = path.string() + ".XXXXXX";
  Fd fd(mkostemp(temporary.data(), O_CLOEXEC));
  if (!fd) return fail_errno("cannot create a file in " + path.parent_path().string());
  auto done = [&]() -> Expected<void> {
    if (fchmod(fd.get(), mode)) return fail_errno("cannot set the mode of " + temporary);
    if (auto written = write_all(fd.get(), data); !written) return written;
    if (fsync(fd.get())) return fail_errno("cannot sync " + temporary);
    if (rename(temporary.c_str(), path.c_str())) return fail_errno("cannot rename to " + path.string());
    return {};
  }();
  if (!done) {
    unlink(temporary.c_str());
    return done;
  }
  Fd folder(::open(path.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder) fsync(folder.get());
  return {};
}

Expected<MappedFile> MappedFile::open(const fs::path& path) {
  Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return fail_errno("cannot open " + path.string());
  struct stat st{};
  if (fstat(fd.get(), &st)) return fail_errno("cannot stat " + path.string());
  if (!S_ISREG(st.st_mode)) return fail("internal", path.string() + " is not a regular file");
  auto out = map(fd.get(), static_cast<std::size_t>(st.st_size), path.string());
  if (out) out->fd_ = std::move(fd);
  return out;
}

Expected<MappedFile> MappedFile::map(int fd, std::size_t size, const std::string& name) {
  MappedFile out;
  out.size_ = size;
  if (out.size_ == 0) return out;
  void* at = mmap(nullptr, out.size_, PROT_READ, MAP_PRIVATE, fd, 0);
  if (at == MAP_FAILED) return fail_errno("cannot map " + name);
  out.data_ = static_cast<const std::uint8_t*>(at);
  return out;
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : fd_(std::move(other.fd_)), data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

MappedFile::~MappedFile() {
  if (data_) munmap(const_cast<std::uint8_t*>(data_), size_);
}

Expected<void> require_trusted(const fs::path& path) {
  struct stat st{};
  if (::stat(path.c_str(), &st)) return fail_errno("cannot stat " + path.string());
  if (st.st_uid != 0 && st.st_uid != geteuid())
    return fail("untrusted_path", path.string() + " belongs to another user, and code would be loaded from it",
                "chown it to root or to the user that runs hotcell");
  if (st.st_mode & (S_IWGRP | S_IWOTH))
    return fail("untrusted_path", path.string() + " is writable by others, and code would be loaded from it",
                "chmod go-w " + path.string());
  return {};
}

}  // namespace hotcell
