// fd_readdir, by way of libc and by hand
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"

int main(void) {
  char name[64];
  CHECK(mkdir("/tmp/d", 0700) == 0);
  for (int i = 0; i < 300; i++) {
    snprintf(name, sizeof name, "/tmp/d/file-%d", i);
    close(open(name, O_CREAT | O_WRONLY, 0600));
  }
  CHECK(mkdir("/tmp/d/sub", 0700) == 0 && symlink("sub", "/tmp/d/link") == 0);

  DIR* dir = opendir("/tmp/d");
  int files = 0, directories = 0, links = 0, ordered = 1;
  long middle = 0;
  for (struct dirent* e; (e = readdir(dir));) {
    if (e->d_type == DT_REG) {
      snprintf(name, sizeof name, "file-%d", files++);
      ordered &= strcmp(name, e->d_name) == 0;
      if (files == 150) middle = telldir(dir);
    }
    directories += e->d_type == DT_DIR;
    links += e->d_type == DT_LNK;
    struct stat st;
    char path[300];
    snprintf(path, sizeof path, "/tmp/d/%s", e->d_name);
    ordered &= lstat(path, &st) == 0 && st.st_ino == e->d_ino;
  }
  CHECK(files == 300 && links == 1 && ordered);
  CHECK(directories == 3);  // ".", ".." and "sub"
  seekdir(dir, middle);
  struct dirent* e = readdir(dir);
  CHECK(e && strcmp(e->d_name, "file-150") == 0);

  // Removing while reading, as rm -r does.
  rewinddir(dir);
  int removed = 0;
  while ((e = readdir(dir))) {
    snprintf(name, sizeof name, "/tmp/d/%s", e->d_name);
    if (e->d_type == DT_REG) removed += unlink(name) == 0;
  }
  CHECK(removed == 300);
  closedir(dir);
  CHECK(unlink("/tmp/d/link") == 0 && rmdir("/tmp/d/sub") == 0 && rmdir("/tmp/d") == 0);

  __wasi_size_t used;
  uint8_t buffer[64];
  CHECK(__wasi_fd_readdir(3, buffer, 10, 0, &used) == 0 && used == 10);
  CHECK(__wasi_fd_readdir(1, buffer, 10, 0, &used) == __WASI_ERRNO_NOTDIR);
  CHECK(__wasi_fd_readdir(99, buffer, 10, 0, &used) == __WASI_ERRNO_BADF);
  CHECK(__wasi_fd_readdir(3, (uint8_t*)0xfffffff0u, 100, 0, &used) == __WASI_ERRNO_FAULT);
  DONE;
}
