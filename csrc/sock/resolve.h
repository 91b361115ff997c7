/* resolve: from a host's name to its addresses, without making anybody wait longer than they want to.
 *
 * getaddrinfo(3) obeys the system's whole configuration (hosts file, nsswitch, resolv.conf) but blocks without a
 * bound. So it runs in a thread of its own; whoever asked waits for a descriptor, for as long as the deadline allows,
 * and may walk away. The thread is detached and touches only the resolution, which is counted: the last of the two to
 * let go frees it. An address in numbers is answered at once, without a thread. Connecting does not belong here. */
#ifndef SS_SOCK_RESOLVE_H
#define SS_SOCK_RESOLVE_H

#include "sock/address.h"
#include "sock/trouble.h"

typedef struct ss_resolution ss_resolution;

/* The longest host name and the most look-ups that may be under way in the process at a time, abandoned ones
 * included. */
enum { SS_HOST_MAX = 255, SS_RESOLUTIONS_MAX = 128 };

/* Begins to look `host` up; the addresses will carry `port`. Returns a resolution that the caller owns until
 * ss_resolution_drop, or NULL and the trouble (SS_WHY_DNS). */
ss_resolution *ss_resolution_start(const char *host, int port, ss_trouble *trouble);

/* SS_WHY_NONE and the addresses, interleaved, at least one; SS_WHY_AGAIN while it is under way; SS_WHY_DNS. The same
 * answer is given again to whoever asks again. */
ss_why ss_resolution_step(const ss_resolution *r, ss_addresses *found, ss_trouble *trouble);

/* A descriptor, owned by the resolution, that poll(2) finds readable as soon as step no longer says AGAIN. -1 where
 * it never said so. */
int ss_resolution_fd(const ss_resolution *r);

/* Lets go of it, finished or not. NULL is allowed. */
void ss_resolution_drop(ss_resolution *r);

#endif
