// proc_exit with a code of its own; expected: 42
#include <stdio.h>
#include <stdlib.h>
int main(void) {
  printf("PASS before exit\n");
  fflush(stdout);
  _Exit(42);
}
