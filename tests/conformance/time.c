// clock_*, poll_oneoff
#include <poll.h>
#include <sys/select.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

static double seconds(clockid_t clock) {
  struct timespec t;
  return clock_gettime(clock, &t) == 0 ? (double)t.tv_sec + (double)t.tv_nsec / 1e9 : -1;
}

int main(void) {
  struct timespec resolution;
  CHECK(clock_getres(CLOCK_REALTIME, &resolution) == 0 && resolution.tv_sec == 0);
  CHECK(clock_getres(CLOCK_MONOTONIC, &resolution) == 0 && resolution.tv_sec == 0);
  CHECK(seconds(CLOCK_REALTIME) > 1.6e9);
  double before = seconds(CLOCK_MONOTONIC);
  CHECK(before >= 0 && seconds(CLOCK_MONOTONIC) >= before);
  CHECK(seconds(CLOCK_PROCESS_CPUTIME_ID) >= 0);
  CHECK(seconds(CLOCK_THREAD_CPUTIME_ID) >= 0);
  __wasi_timestamp_t stamp;
  CHECK(__wasi_clock_time_get(17, 0, &stamp) == __WASI_ERRNO_INVAL);
  CHECK(__wasi_clock_res_get(17, &stamp) == __WASI_ERRNO_INVAL);

  before = seconds(CLOCK_MONOTONIC);
  CHECK(usleep(20000) == 0);
  double slept = seconds(CLOCK_MONOTONIC) - before;
  CHECK(slept >= 0.02 && slept < 5);
  struct timespec until;
  clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_nsec += 10000000;
  if (until.tv_nsec >= 1000000000) until.tv_nsec -= 1000000000, until.tv_sec++;
  CHECK(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == 0);
  CHECK(seconds(CLOCK_MONOTONIC) >= (double)until.tv_sec + (double)until.tv_nsec / 1e9);

  struct pollfd fds[2] = {{.fd = 0, .events = POLLRDNORM}, {.fd = 1, .events = POLLWRNORM}};
  CHECK(poll(fds, 2, 1000) == 2);
  CHECK((fds[0].revents & (POLLRDNORM | POLLHUP)) && (fds[1].revents & POLLWRNORM));
  fds[0].fd = 99;
  CHECK(poll(fds, 1, 10) == 1 && (fds[0].revents & POLLNVAL));
  struct timeval wait = {0, 1000};
  fd_set set;
  FD_ZERO(&set);
  CHECK(select(0, &set, NULL, NULL, &wait) == 0);

  __wasi_subscription_t in[3];
  __wasi_event_t out[3];
  __wasi_size_t count;
  memset(in, 0, sizeof in);
  for (int i = 0; i < 3; i++) {
    in[i].userdata = (uint64_t)i;
    in[i].u.tag = __WASI_EVENTTYPE_CLOCK;
    in[i].u.u.clock.id = __WASI_CLOCKID_MONOTONIC;
    in[i].u.u.clock.timeout = i == 1 ? 1000000 : 60000000000;
  }
  CHECK(__wasi_poll_oneoff(in, out, 3, &count) == 0 && count == 1 && out[0].userdata == 1 && out[0].error == 0);
  CHECK(__wasi_poll_oneoff(in, out, 0, &count) == __WASI_ERRNO_INVAL);
  CHECK(__wasi_poll_oneoff(in, (void*)0xfffffff0u, 3, &count) == __WASI_ERRNO_FAULT);
  DONE;
}
