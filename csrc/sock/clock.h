/* clock: points in time on CLOCK_MONOTONIC, so that setting the machine's clock neither ends a wait nor prolongs it.
 *
 * Every wait of this module is given a deadline, one point in time for the whole step, never a length of time per
 * system call: a peer that trickles gains nothing. */
#ifndef SS_SOCK_CLOCK_H
#define SS_SOCK_CLOCK_H

#include <stdint.h>

/* Nanoseconds since some moment that never changes while the machine runs. */
typedef int64_t ss_time;

enum { SS_MILLISECOND = 1000000 };

ss_time ss_clock_now(void);

/* The point `seconds` from now; now itself where that is not positive, a year from now where it is more. */
ss_time ss_clock_after(double seconds);

/* Milliseconds until `deadline` as poll(2) takes them: rounded up, 0 when it has passed. */
int ss_clock_left(ss_time deadline);

static inline double ss_clock_seconds(ss_time t)
{
  return (double)t / 1e9;
}

#endif
