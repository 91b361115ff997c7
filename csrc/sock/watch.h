/* watch: one descriptor that is readable while any of several sockets is ready.
 *
 * For event loops that wait for one descriptor, or that treat a socket with an error (a refused connection) as a
 * mistake of their user instead of as ready. epoll(7), because an epoll descriptor can be waited for itself. */
#ifndef SS_SOCK_WATCH_H
#define SS_SOCK_WATCH_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

/* Zeroed memory is a closed watch. */
typedef struct ss_watch {
  bool open;
  int fd; /* owned while open */
} ss_watch;

/* Watches `count` different descriptors for the events that are asked of each (POLLIN, POLLOUT). They stay their
 * owners', who may close them. False with errno; nothing is open then. */
bool ss_watch_open(ss_watch *w, const struct pollfd *fds, size_t count);

/* Idempotent. */
void ss_watch_close(ss_watch *w);

#endif
