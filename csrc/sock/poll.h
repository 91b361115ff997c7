/* poll: waiting for descriptors, poll(2) with a deadline. poll and not select: descriptors of 1024 and above are usual
 * in a server. A signal does not end the wait. */
#ifndef SS_SOCK_POLL_H
#define SS_SOCK_POLL_H

#include "sock/clock.h"

#include <poll.h>
#include <stdbool.h>

/* Waits until one of the `count` is ready or the deadline passes. Returns how many are ready, 0 when time is up, -1
 * with errno. */
int ss_poll(struct pollfd *fds, nfds_t count, ss_time deadline);

/* The same for one: true when it is ready (or broken: the next call on it will say), false when time is up. */
bool ss_poll_one(int fd, short events, ss_time deadline);

#endif
