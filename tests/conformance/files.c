// fd_read, fd_write, fd_pread, fd_pwrite, fd_seek, fd_tell, fd_close, fd_sync, fd_datasync, fd_advise, fd_allocate,
// fd_filestat_*, fd_fdstat_*
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "check.h"

static void contents(void) {
  char buffer[64];
  int fd = open("/tmp/f", O_CREAT | O_EXCL | O_RDWR, 0600);
  CHECK(fd == 4);
  CHECK_ERRNO(open("/tmp/f", O_CREAT | O_EXCL | O_RDWR, 0600), EEXIST);
  CHECK(write(fd, "0123456789", 10) == 10);
  CHECK(lseek(fd, -4, SEEK_END) == 6);
  CHECK(read(fd, buffer, 64) == 4 && memcmp(buffer, "6789", 4) == 0);
  CHECK(read(fd, buffer, 64) == 0);
  CHECK(pwrite(fd, "AB", 2, 3) == 2);
  CHECK(pread(fd, buffer, 4, 2) == 4 && memcmp(buffer, "2AB5", 4) == 0);
  CHECK(lseek(fd, 0, SEEK_CUR) == 10);
  __wasi_filesize_t position;
  CHECK(__wasi_fd_tell(fd, &position) == 0 && position == 10);
  CHECK_ERRNO(lseek(fd, -11, SEEK_CUR), EINVAL);
  CHECK(lseek(fd, 20, SEEK_SET) == 20 && write(fd, "x", 1) == 1);
  CHECK(pread(fd, buffer, 11, 10) == 11 && memcmp(buffer, "\0\0\0\0\0\0\0\0\0\0x", 11) == 0);
  CHECK(fsync(fd) == 0 && fdatasync(fd) == 0);
  CHECK(posix_fadvise(fd, 0, 0, POSIX_FADV_WILLNEED) == 0);
  CHECK(posix_fallocate(fd, 0, 100) == 0);
  struct stat st;
  CHECK(fstat(fd, &st) == 0 && st.st_size == 100 && S_ISREG(st.st_mode) && st.st_nlink == 1);
  CHECK(ftruncate(fd, 5) == 0 && fstat(fd, &st) == 0 && st.st_size == 5);
  CHECK(ftruncate(fd, 1000000000) == 0 && fstat(fd, &st) == 0 && st.st_size == 1000000000);
  CHECK_ERRNO(ftruncate(fd, 1ll << 60), EFBIG);
  CHECK(posix_fallocate(fd, 0, 8ll << 30) == ENOSPC);
  struct timespec times[2] = {{11, 22}, {33, 44}};
  CHECK(futimens(fd, times) == 0 && fstat(fd, &st) == 0);
  CHECK(st.st_atim.tv_sec == 11 && st.st_atim.tv_nsec == 22 && st.st_mtim.tv_sec == 33 && st.st_mtim.tv_nsec == 44);
  CHECK(close(fd) == 0);
  CHECK_ERRNO(write(fd, "x", 1), EBADF);
}

static void flags(void) {
  char buffer[8];
  int fd = open("/tmp/a", O_CREAT | O_WRONLY | O_APPEND, 0600);
  CHECK(write(fd, "one", 3) == 3 && lseek(fd, 0, SEEK_SET) == 0 && write(fd, "two", 3) == 3);
  CHECK_ERRNO(read(fd, buffer, 1), EBADF);
  CHECK(fcntl(fd, F_GETFL) == (O_WRONLY | O_APPEND));
  CHECK(fcntl(fd, F_SETFL, 0) == 0 && fcntl(fd, F_GETFL) == O_WRONLY);
  close(fd);
  fd = open("/tmp/a", O_RDONLY);
  CHECK(read(fd, buffer, 8) == 6 && memcmp(buffer, "onetwo", 6) == 0);
  CHECK_ERRNO(write(fd, "x", 1), EBADF);
  CHECK_ERRNO(ftruncate(fd, 0), EINVAL);
  __wasi_fdstat_t stat;
  CHECK(__wasi_fd_fdstat_get(fd, &stat) == 0 && stat.fs_filetype == __WASI_FILETYPE_REGULAR_FILE);
  CHECK((stat.fs_rights_base & __WASI_RIGHTS_FD_READ) && !(stat.fs_rights_base & __WASI_RIGHTS_FD_WRITE));
  CHECK(__wasi_fd_fdstat_set_rights(fd, __WASI_RIGHTS_FD_TELL, 0) == 0);
  CHECK(__wasi_fd_fdstat_set_rights(fd, __WASI_RIGHTS_FD_READ, 0) == __WASI_ERRNO_NOTCAPABLE);
  CHECK_ERRNO(read(fd, buffer, 1), EBADF);
  close(fd);
  fd = open("/tmp/a", O_RDWR | O_TRUNC);
  CHECK(lseek(fd, 0, SEEK_END) == 0);
  close(fd);
}

static void unlinked(void) {
  char buffer[8];
  int fd = open("/tmp/u", O_CREAT | O_RDWR, 0600);
  CHECK(unlink("/tmp/u") == 0);
  CHECK_ERRNO(open("/tmp/u", O_RDWR), ENOENT);
  CHECK(write(fd, "alive", 5) == 5 && pread(fd, buffer, 8, 0) == 5);
  struct stat st;
  CHECK(fstat(fd, &st) == 0 && st.st_nlink == 0);
  close(fd);
}

static void many(void) {
  int last = -1, opened = 0;
  while (opened < 100000) {
    int fd = open("/tmp", O_RDONLY | O_DIRECTORY);
    if (fd < 0) break;
    last = fd;
    opened++;
  }
  CHECK(errno == EMFILE && opened < 100000);
  for (int fd = last; fd >= 4; fd--) close(fd);
  CHECK(open("/tmp", O_RDONLY | O_DIRECTORY) == 4);
  close(4);
}

int main(void) {
  contents();
  flags();
  unlinked();
  many();
  DONE;
}
