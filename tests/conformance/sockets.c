// sock_*: there are none
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"

int main(void) {
  char buffer[8];
  CHECK_ERRNO(recv(1, buffer, 8, 0), ENOTSOCK);
  CHECK_ERRNO(send(1, buffer, 8, 0), ENOTSOCK);
  CHECK_ERRNO(shutdown(1, SHUT_RDWR), ENOTSOCK);
  CHECK_ERRNO(recv(99, buffer, 8, 0), EBADF);
  __wasi_fd_t fd;
  CHECK(__wasi_sock_accept(3, 0, &fd) == __WASI_ERRNO_NOTSOCK);
  CHECK(__wasi_sock_accept(99, 0, &fd) == __WASI_ERRNO_BADF);
  DONE;
}
