// path_*, fd_prestat_*
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"

static int touch(const char* path, const char* text) {
  int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600);
  if (fd < 0) return -1;
  int good = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
  return close(fd) == 0 && good ? 0 : -1;
}

static const char* content(const char* path) {
  static char buffer[64];
  int fd = open(path, O_RDONLY);
  if (fd < 0) return "(none)";
  ssize_t n = read(fd, buffer, sizeof buffer - 1);
  close(fd);
  buffer[n < 0 ? 0 : n] = 0;
  return buffer;
}

static void preopens(void) {
  __wasi_prestat_t prestat;
  CHECK(__wasi_fd_prestat_get(3, &prestat) == 0 && prestat.tag == __WASI_PREOPENTYPE_DIR);
  uint8_t name[64];
  CHECK(prestat.u.dir.pr_name_len <= 64 && __wasi_fd_prestat_dir_name(3, name, prestat.u.dir.pr_name_len) == 0);
  CHECK(__wasi_fd_prestat_dir_name(3, name, 0) == __WASI_ERRNO_NAMETOOLONG);
  CHECK(__wasi_fd_prestat_get(0, &prestat) == __WASI_ERRNO_BADF);
}

static void directories(void) {
  struct stat st;
  CHECK(mkdir("/tmp/d", 0700) == 0);
  CHECK_ERRNO(mkdir("/tmp/d", 0700), EEXIST);
  CHECK_ERRNO(mkdir("/tmp/none/d", 0700), ENOENT);
  CHECK(stat("/tmp/d", &st) == 0 && S_ISDIR(st.st_mode));
  CHECK(touch("/tmp/d/f", "x") == 0);
  CHECK_ERRNO(mkdir("/tmp/d/f/g", 0700), ENOTDIR);
  CHECK_ERRNO(rmdir("/tmp/d"), ENOTEMPTY);
  CHECK_ERRNO(rmdir("/tmp/d/f"), ENOTDIR);
  CHECK_ERRNO(unlink("/tmp/d"), EISDIR);
  CHECK_ERRNO(open("/tmp/d", O_WRONLY), EISDIR);
  CHECK_ERRNO(open("/tmp/d/f", O_RDONLY | O_DIRECTORY), ENOTDIR);
  int dir = open("/tmp/d", O_RDONLY | O_DIRECTORY);
  int fd = openat(dir, "f", O_RDONLY);
  CHECK(fd >= 0 && close(fd) == 0);
  CHECK(fstatat(dir, "../d/f", &st, 0) == 0);
  CHECK(unlinkat(dir, "f", 0) == 0 && rmdir("/tmp/d") == 0);
  CHECK_ERRNO(openat(dir, "f", O_CREAT | O_WRONLY, 0600), ENOENT);
  close(dir);
  CHECK_ERRNO(rmdir("/tmp"), EBUSY);
  char longest[5000];
  memset(longest, 'a', sizeof longest);
  longest[0] = '/';
  longest[300] = 0;
  CHECK_ERRNO(stat(longest, &st), ENAMETOOLONG);
  longest[300] = '/';
  longest[4999] = 0;
  CHECK_ERRNO(stat(longest, &st), ENAMETOOLONG);
}

static void links(void) {
  struct stat st;
  char target[64];
  CHECK(touch("/tmp/f", "text") == 0);
  CHECK(symlink("f", "/tmp/l") == 0);
  CHECK_ERRNO(symlink("f", "/tmp/l"), EEXIST);
  CHECK(strcmp(content("/tmp/l"), "text") == 0);
  CHECK(lstat("/tmp/l", &st) == 0 && S_ISLNK(st.st_mode) && st.st_size == 1);
  CHECK(stat("/tmp/l", &st) == 0 && S_ISREG(st.st_mode));
  CHECK(readlink("/tmp/l", target, sizeof target) == 1 && target[0] == 'f');
  CHECK_ERRNO(readlink("/tmp/f", target, sizeof target), EINVAL);
  CHECK_ERRNO(open("/tmp/l", O_RDONLY | O_NOFOLLOW), ELOOP);
  CHECK(symlink("loop", "/tmp/loop") == 0);
  CHECK_ERRNO(open("/tmp/loop", O_RDONLY), ELOOP);
  CHECK(symlink("/tmp/f", "/tmp/absolute") == 0);
  CHECK(strcmp(content("/tmp/absolute"), "text") == 0);
  CHECK(symlink("../../../../etc/passwd", "/tmp/out") == 0);
  CHECK_ERRNO(open("/tmp/out", O_RDONLY), ENOENT);
  CHECK(link("/tmp/f", "/tmp/h") == 0);
  CHECK(stat("/tmp/h", &st) == 0 && st.st_nlink == 2);
  CHECK(unlink("/tmp/f") == 0 && strcmp(content("/tmp/h"), "text") == 0);
  CHECK_ERRNO(link("/tmp", "/tmp/t"), EPERM);
  CHECK_ERRNO(open("/tmp/l", O_RDONLY), ENOENT);
  CHECK(touch("/tmp/l", "through the link") == 0 && strcmp(content("/tmp/f"), "through the link") == 0);
}

static void renames(void) {
  CHECK(touch("/tmp/a", "a") == 0 && touch("/tmp/b", "b") == 0);
  CHECK(rename("/tmp/a", "/tmp/b") == 0 && strcmp(content("/tmp/b"), "a") == 0);
  CHECK_ERRNO(rename("/tmp/a", "/tmp/b"), ENOENT);
  CHECK(mkdir("/tmp/x", 0700) == 0 && mkdir("/tmp/x/y", 0700) == 0 && mkdir("/tmp/z", 0700) == 0);
  CHECK_ERRNO(rename("/tmp/x", "/tmp/x/y/x"), EINVAL);
  CHECK_ERRNO(rename("/tmp/z", "/tmp/x"), ENOTEMPTY);
  CHECK_ERRNO(rename("/tmp/b", "/tmp/x"), EISDIR);
  CHECK_ERRNO(rename("/tmp/x", "/tmp/b"), ENOTDIR);
  CHECK(rename("/tmp/x", "/tmp/z") == 0);
  CHECK(rmdir("/tmp/z/y") == 0 && rmdir("/tmp/z") == 0);
}

static void times(void) {
  struct stat st;
  CHECK(touch("/tmp/t", "") == 0);
  struct timespec set[2] = {{.tv_nsec = UTIME_OMIT}, {5, 6}};
  CHECK(utimensat(AT_FDCWD, "/tmp/t", set, 0) == 0);
  CHECK(stat("/tmp/t", &st) == 0 && st.st_mtim.tv_sec == 5 && st.st_mtim.tv_nsec == 6 && st.st_atim.tv_sec != 5);
  CHECK_ERRNO(utimensat(AT_FDCWD, "/tmp/none", set, 0), ENOENT);
}

static void raw(void) {
  __wasi_filestat_t stat;
  __wasi_fd_t fd;
  CHECK(__wasi_path_filestat_get(3, 0, "/tmp", &stat) == __WASI_ERRNO_PERM);
  CHECK(__wasi_path_filestat_get(3, 0, "../..", &stat) == 0);
  CHECK(__wasi_path_filestat_get(3, 0, "", &stat) == __WASI_ERRNO_NOENT);
  CHECK(__wasi_path_filestat_get(1, 0, "tmp", &stat) == __WASI_ERRNO_NOTDIR);
  CHECK(__wasi_path_filestat_get(77, 0, "tmp", &stat) == __WASI_ERRNO_BADF);
  CHECK(__wasi_path_open(3, 0, "tmp", 0xffff, 0, 0, 0, &fd) == __WASI_ERRNO_INVAL);
  CHECK(__wasi_path_open(3, 0, "tmp", 0, 0, 0, 0, (__wasi_fd_t*)0xfffffffeu) == __WASI_ERRNO_FAULT);
  CHECK(__wasi_path_create_directory(3, "tmp/raw/") == 0);
  CHECK(__wasi_path_remove_directory(3, "tmp/raw/") == 0);
  CHECK(__wasi_path_unlink_file(3, "tmp/none") == __WASI_ERRNO_NOENT);
}

int main(void) {
  preopens();
  directories();
  links();
  renames();
  times();
  raw();
  DONE;
}
