/* watch: see watch.h. */
#include "sock/watch.h"

#include <errno.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <unistd.h>

static bool add(int epoll, const struct pollfd *p)
{
  struct epoll_event wanted = {.events = ((p->events & POLLIN) ? (uint32_t)EPOLLIN : 0) |
                                         ((p->events & POLLOUT) ? (uint32_t)EPOLLOUT : 0)};
  return epoll_ctl(epoll, EPOLL_CTL_ADD, p->fd, &wanted) == 0;
}

bool ss_watch_open(ss_watch *w, const struct pollfd *fds, size_t count)
{
  w->fd = epoll_create1(EPOLL_CLOEXEC);
  w->open = w->fd >= 0;
  for (size_t i = 0; i < count && w->open; i++) {
    if (add(w->fd, &fds[i])) continue;
    int error = errno;
    ss_watch_close(w);
    errno = error;
  }
  return w->open;
}

void ss_watch_close(ss_watch *w)
{
  if (w->open) close(w->fd);
  w->open = false;
}
