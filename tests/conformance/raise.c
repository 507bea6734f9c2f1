// proc_raise, which wasi-libc doesn't declare any more; expected: ended by SIGABRT (6)
#include <stdint.h>
#include <stdio.h>
int32_t proc_raise(int32_t signal) __attribute__((import_module("wasi_snapshot_preview1"), import_name("proc_raise")));
int main(void) {
  printf("%s proc_raise(0)\n", proc_raise(0) == 0 ? "PASS" : "FAIL");
  printf("%s proc_raise(31)\n", proc_raise(31) == 28 ? "PASS" : "FAIL");
  fflush(stdout);
  proc_raise(6);
  printf("FAIL still here\n");
  return 1;
}
