// Quotas, as a program meets them: none of this may take long or end in anything but an errno.
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"

int main(void) {
  char name[64];
  int made = 0;
  for (; made < 1000000; made++) {
    snprintf(name, sizeof name, "/tmp/%d", made);
    int fd = open(name, O_CREAT | O_WRONLY, 0600);
    if (fd < 0) break;
    close(fd);
  }
  CHECK(made > 1000 && made < 1000000 && errno == ENOSPC);
  for (int i = 0; i < made; i++) {
    snprintf(name, sizeof name, "/tmp/%d", i);
    unlink(name);
  }

  static char block[1 << 16];
  int fd = open("/tmp/big", O_CREAT | O_WRONLY, 0600);
  long long total = 0;
  for (ssize_t n; total < 1ll << 33 && (n = write(fd, block, sizeof block)) > 0;) total += n;
  CHECK(total > 0 && total < 1ll << 33 && errno == ENOSPC);
  CHECK(ftruncate(fd, 0) == 0 && write(fd, block, sizeof block) == sizeof block);
  close(fd);

  char path[4000] = "/tmp";
  int depth = 0;
  while (depth < 1900 && strcat(path, "/d") && mkdir(path, 0700) == 0) depth++;
  CHECK(depth > 10 && depth < 1900 && errno == ENAMETOOLONG);
  DONE;
}
