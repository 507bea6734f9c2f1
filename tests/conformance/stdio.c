// The streams: fd_read, fd_write, fd_close, fd_fdstat_get, fd_seek, fd_filestat_get, fd_renumber on 0 to 2.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "check.h"

int main(void) {
  for (int fd = 0; fd < 3; fd++) {
    struct stat st;
    CHECK(!isatty(fd));
    CHECK_ERRNO(lseek(fd, 0, SEEK_CUR), ESPIPE);
    CHECK(fstat(fd, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode));
    CHECK((fcntl(fd, F_GETFL) & O_ACCMODE) == (fd == 0 ? O_RDONLY : O_WRONLY));
  }
  char buffer[64];
  ssize_t total = 0, n;
  while ((n = read(0, buffer, sizeof buffer)) > 0) total += n;
  CHECK(n == 0 && total >= 0);
  CHECK(read(0, buffer, sizeof buffer) == 0);
  CHECK_ERRNO(read(1, buffer, 1), EBADF);
  CHECK_ERRNO(write(0, buffer, 1), EBADF);
  struct iovec parts[3] = {{"PASS ", 5}, {"", 0}, {"writev\n", 7}};
  fflush(stdout);
  CHECK(writev(1, parts, 3) == 12);
  CHECK_ERRNO(write(1, (void*)0xfffffff0u, 100), EFAULT);
  CHECK_ERRNO(write(99, "x", 1), EBADF);

  // A closed number is used again, and a stream can be put onto another one.
  CHECK(close(0) == 0);
  CHECK_ERRNO(close(0), EBADF);
  int file = open("/tmp/in", O_CREAT | O_RDWR, 0600);
  CHECK(file == 0);
  CHECK(write(file, "from a file\n", 12) == 12 && lseek(file, 0, SEEK_SET) == 0);
  CHECK(fgets(buffer, sizeof buffer, stdin) && strcmp(buffer, "from a file\n") == 0);
  int log = open("/tmp/log", O_CREAT | O_WRONLY, 0600);
  CHECK(__wasi_fd_renumber(log, 2) == 0);
  CHECK(__wasi_fd_renumber(log, 2) == __WASI_ERRNO_BADF);
  CHECK(write(2, "logged", 6) == 6);
  struct stat st;
  CHECK(stat("/tmp/log", &st) == 0 && st.st_size == 6);
  DONE;
}
