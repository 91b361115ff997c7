/* clock: see clock.h. */
#include "sock/clock.h"

#include <limits.h>
#include <time.h>

ss_time ss_clock_now(void)
{
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (ss_time)t.tv_sec * 1000 * SS_MILLISECOND + t.tv_nsec;
}

ss_time ss_clock_after(double seconds)
{
  const double year = 366.0 * 86400;
  if (!(seconds > 0)) return ss_clock_now();
  return ss_clock_now() + (ss_time)((seconds < year ? seconds : year) * 1e9);
}

int ss_clock_left(ss_time deadline)
{
  ss_time left = deadline - ss_clock_now();
  if (left <= 0) return 0;
  ss_time ms = (left + SS_MILLISECOND - 1) / SS_MILLISECOND;
  return ms < INT_MAX ? (int)ms : INT_MAX;
}
