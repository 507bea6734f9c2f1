// A check prints one line, and a program fails when one of its checks did.
#pragma once
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <wasi/api.h>

static int failures;

#define CHECK(condition)                                                              \
  do {                                                                                \
    int good_ = (condition) ? 1 : 0;                                                  \
    printf("%s %s:%d %s\n", good_ ? "PASS" : "FAIL", __func__, __LINE__, #condition); \
    failures += !good_;                                                               \
  } while (0)

#define CHECK_ERRNO(call, expected)                                                            \
  do {                                                                                         \
    errno = 0;                                                                                 \
    int bad_ = (call) != -1 || errno != (expected);                                            \
    printf("%s %s:%d %s is %s", bad_ ? "FAIL" : "PASS", __func__, __LINE__, #call, #expected); \
    if (bad_) printf(" (errno %d: %s)", errno, strerror(errno));                               \
    printf("\n");                                                                              \
    failures += bad_;                                                                          \
  } while (0)

#define DONE return failures != 0
