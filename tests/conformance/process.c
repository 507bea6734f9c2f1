// args_*, environ_*, random_get, sched_yield, proc_exit
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include "check.h"

static void leave(void) { printf("PASS atexit ran\n"); }

int main(int argc, char** argv) {
  CHECK(argc >= 1);
  CHECK(argv[argc] == NULL);
  __wasi_size_t count, size;
  CHECK(__wasi_args_sizes_get(&count, &size) == 0);
  CHECK(count == (__wasi_size_t)argc);
  uint8_t* pointers[16];
  static uint8_t buffer[65536];
  CHECK(count <= 16 && size <= sizeof buffer && __wasi_args_get(pointers, buffer) == 0);
  CHECK(strcmp((char*)pointers[0], argv[0]) == 0);
  CHECK(__wasi_environ_sizes_get(&count, &size) == 0);
  CHECK(__wasi_environ_get((uint8_t**)buffer, buffer + 4096) == 0 || count > 1024);
  CHECK(__wasi_args_get((uint8_t**)0xfffffff0u, buffer) == __WASI_ERRNO_FAULT);
  setenv("OWN", "value", 1);
  CHECK(strcmp(getenv("OWN"), "value") == 0);

  unsigned char one[64] = {0}, two[64] = {0};
  CHECK(getentropy(one, sizeof one) == 0);
  CHECK(__wasi_random_get(two, sizeof two) == 0);
  CHECK(memcmp(one, two, sizeof one) != 0);
  CHECK(__wasi_random_get((uint8_t*)0xffffff00u, 4096) == __WASI_ERRNO_FAULT);
  CHECK(sched_yield() == 0);
  atexit(leave);
  exit(failures != 0);
}
