/* dial: from a host and a port, or the path of a unix socket, to a connected descriptor.
 *
 * RFC 8305 ("happy eyeballs"): every address is tried, families taking turns, a new attempt beside the running ones
 * every 250 ms and at once when one fails; the first to connect wins. The step is bounded as a whole, the look-up of
 * the name included. It is written as a machine that never waits, so that ss_dial_run and any event loop drive the
 * same one: step; on AGAIN wait for what ss_dial_waits says; step again. */
#ifndef SS_SOCK_DIAL_H
#define SS_SOCK_DIAL_H

#include "sock/address.h"
#include "sock/clock.h"
#include "sock/resolve.h"
#include "sock/trouble.h"

#include <poll.h>

enum { SS_DIAL_NAME = 288, SS_DIAL_FAILURES = 320, SS_DIAL_WAITS = SS_ADDRESSES_MAX };

typedef struct ss_dial {
  double seconds;       /* what the whole of it was given, */
  ss_time deadline;     /* which ends here */
  ss_time next;         /* when the next address may be tried */
  ss_resolution *names; /* owned; NULL unless the look-up is under way */
  ss_addresses to;
  size_t tried; /* of those, how many attempts were begun */
  struct {
    int fd;
    size_t address;
  } open[SS_ADDRESSES_MAX]; /* the attempts under way; owned */
  size_t opened;
  char name[SS_DIAL_NAME];         /* what is dialled, for people */
  char failures[SS_DIAL_FAILURES]; /* each address that failed, and why */
} ss_dial;

/* True before it began and after it ended; zeroed memory is a closed dial. A closed one must not be stepped. */
static inline bool ss_dial_closed(const ss_dial *d)
{
  return !d->names && d->to.count == 0;
}

/* Begins; all of it has to be over `seconds` from now. Nothing is kept of the strings. SS_WHY_NONE: go on with step;
 * else the trouble, and nothing to close. */
ss_why ss_dial_host(ss_dial *d, const char *host, int port, double seconds, ss_trouble *trouble);
ss_why ss_dial_path(ss_dial *d, const char *path, double seconds, ss_trouble *trouble);

/* Goes on as far as it can without waiting. SS_WHY_NONE: *fd is connected, non-blocking, and the caller's. AGAIN: see
 * ss_dial_waits. Else the trouble, naming the host, each address tried and why it failed; the dial is closed. */
ss_why ss_dial_step(ss_dial *d, int *fd, ss_trouble *trouble);

/* What an AGAIN waits for: fills `fds` and returns how many; *until is when to step even if none is ready. */
size_t ss_dial_waits(const ss_dial *d, struct pollfd fds[SS_DIAL_WAITS], ss_time *until);

/* Steps and waits until it is done: the results of ss_dial_step, without AGAIN. */
ss_why ss_dial_run(ss_dial *d, int *fd, ss_trouble *trouble);

/* Gives everything back. Idempotent. */
void ss_dial_close(ss_dial *d);

#endif
