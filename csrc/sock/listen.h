/* listen: a socket that accepts connections, for the test sink and for specs; no server is to be built on it.
 *
 * It listens on a numeric address or on the path of a unix socket; names are not looked up. */
#ifndef SS_SOCK_LISTEN_H
#define SS_SOCK_LISTEN_H

#include "sock/address.h"
#include "sock/clock.h"
#include "sock/trouble.h"

#include <stdbool.h>

/* Zeroed memory is a closed listener. */
typedef struct ss_listener {
  bool open;
  int fd; /* owned while open */
  ss_address at;
} ss_listener;

/* Listens on the numeric address `host`; port 0 lets the system choose (ss_address_port of `at` tells). SS_WHY_NONE or
 * SS_WHY_ERROR. */
ss_why ss_listener_host(ss_listener *l, const char *host, int port, int backlog, ss_trouble *trouble);

/* Listens on a unix socket, which it makes; a path that exists already is an error. */
ss_why ss_listener_path(ss_listener *l, const char *path, int backlog, ss_trouble *trouble);

/* Waits for a connection until the deadline. SS_WHY_NONE and *fd, the caller's; TIMEOUT, CLOSED (here) or ERROR. */
ss_why ss_listener_accept(ss_listener *l, ss_time deadline, int *fd, ss_trouble *trouble);

/* Idempotent. The path of a unix socket stays: ss_listener_remove. */
void ss_listener_close(ss_listener *l);

/* Removes the path that an open listener made. Not part of closing, so that a forked child, or a garbage collector,
 * does not take away what others still use. */
void ss_listener_remove(const ss_listener *l);

#endif
