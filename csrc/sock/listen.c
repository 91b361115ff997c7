/* listen: see listen.h. */
#include "sock/listen.h"

#include "sock/poll.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Binds and listens at l->at, then learns the address that it got. Returns 0 or an errno; nothing is open then. */
static int open_at(ss_listener *l, int backlog)
{
  const int on = 1;
  int fd = socket(l->at.sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno;
  if (l->at.sa.ss_family != AF_UNIX) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(fd, (const struct sockaddr *)&l->at.sa, l->at.length) != 0 || listen(fd, backlog) != 0) {
    int error = errno;
    close(fd);
    return error;
  }
  l->at.length = sizeof l->at.sa;
  getsockname(fd, (struct sockaddr *)&l->at.sa, &l->at.length);
  l->fd = fd;
  l->open = true;
  return 0;
}

ss_why ss_listener_host(ss_listener *l, const char *host, int port, int backlog, ss_trouble *trouble)
{
  char digits[8];
  struct addrinfo *list = NULL;
  const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
  snprintf(digits, sizeof digits, "%d", port);
  int failure = getaddrinfo(host, digits, &hints, &list);
  if (failure != 0)
    return ss_trouble_set(trouble, SS_WHY_ERROR, "%s: a numeric address is needed to listen on", host);
  memcpy(&l->at.sa, list->ai_addr, list->ai_addrlen);
  l->at.length = list->ai_addrlen;
  freeaddrinfo(list);
  int error = open_at(l, backlog);
  if (error == 0) return SS_WHY_NONE;
  return ss_trouble_set(trouble, SS_WHY_ERROR, "%s port %d: %s", host, port, strerror(error));
}

ss_why ss_listener_path(ss_listener *l, const char *path, int backlog, ss_trouble *trouble)
{
  if (!ss_address_unix(&l->at, path))
    return ss_trouble_set(trouble, SS_WHY_ERROR, "%s: the path of a unix socket has 1 to %d bytes", path,
                          SS_ADDRESS_PATH);
  int error = open_at(l, backlog);
  if (error == 0) return SS_WHY_NONE;
  return ss_trouble_set(trouble, SS_WHY_ERROR, "%s: %s", path, strerror(error));
}

/* The connection may be gone between poll and accept (ECONNABORTED, EAGAIN): that is no reason to stop. */
static bool passing(int error)
{
  return error == EAGAIN || error == EWOULDBLOCK || error == EINTR || error == ECONNABORTED;
}

ss_why ss_listener_accept(ss_listener *l, ss_time deadline, int *fd, ss_trouble *trouble)
{
  if (!l->open) return ss_trouble_set(trouble, SS_WHY_CLOSED, "the listener was closed");
  for (;;) {
    *fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (*fd >= 0) return SS_WHY_NONE;
    if (!passing(errno)) return ss_trouble_set(trouble, SS_WHY_ERROR, "%s", strerror(errno));
    if (!ss_poll_one(l->fd, POLLIN, deadline))
      return ss_trouble_set(trouble, SS_WHY_TIMEOUT, "nobody connected in time");
  }
}

void ss_listener_close(ss_listener *l)
{
  if (l->open) close(l->fd);
  l->open = false;
}

void ss_listener_remove(const ss_listener *l)
{
  char path[SS_ADDRESS_TEXT];
  if (!l->open || l->at.sa.ss_family != AF_UNIX) return;
  ss_address_text(&l->at, path);
  unlink(path);
}
