// Keeps a core from idling, at the lowest priority (chrt -i 0). A core that a guest lets idle is lent to others by its host; what they
// leave in its caches and how long it takes to come back is then measured instead of the server. It pauses a twentieth of the time: the
// kernel's own threads are starved where idle priority holds within a control group alone.
#define _GNU_SOURCE
#include <time.h>

static long long now(void) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return at.tv_sec * 1000000000LL + at.tv_nsec;
}

int main(void) {
  const struct timespec pause = {0, 50000};
  for (;;) {
    const long long until = now() + 2000000;
    while (now() < until) {
#if defined(__x86_64__)
      __builtin_ia32_pause();
#endif
    }
    nanosleep(&pause, 0);
  }
}
