/* stream: see stream.h. */
#include "sock/stream.h"

#include "sock/poll.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

void ss_stream_open(ss_stream *s, int fd)
{
  const int on = 1;
  s->fd = fd;
  s->open = true;
  s->tcp = setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0;
}

/* The peer may hold its next bytes back until we acknowledge the last ones (its Nagle), and we may hold the
 * acknowledgement back for 40 ms in the hope of a ride on our own next bytes. Before a wait there are none: send it.
 * The kernel forgets this wish, so it is repeated. */
static void acknowledge_now(const ss_stream *s)
{
#ifdef TCP_QUICKACK
  const int on = 1;
  if (s->tcp) setsockopt(s->fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
#else
  (void)s;
#endif
}

static ss_why closed_here(ss_trouble *trouble)
{
  return ss_trouble_set(trouble, SS_WHY_CLOSED, "the connection was closed on this side");
}

/* What errno means, from a call that read or wrote. */
static ss_why failed(ss_trouble *trouble)
{
  switch (errno) {
  case EPIPE:
  case ECONNRESET:
  case ECONNABORTED: return ss_trouble_set(trouble, SS_WHY_CLOSED, "%s", strerror(errno));
  default: return ss_trouble_set(trouble, SS_WHY_ERROR, "%s", strerror(errno));
  }
}

static bool must_wait(void)
{
  return errno == EAGAIN || errno == EWOULDBLOCK;
}

ss_why ss_stream_read(ss_stream *s, void *to, size_t size, ss_time deadline, size_t *got, ss_trouble *trouble)
{
  if (!s->open) return closed_here(trouble);
  for (;;) {
    ssize_t n = recv(s->fd, to, size, MSG_DONTWAIT);
    if (n > 0) {
      *got = (size_t)n;
      return SS_WHY_NONE;
    }
    if (n == 0) return ss_trouble_set(trouble, SS_WHY_CLOSED, "the peer closed the connection");
    if (errno == EINTR) continue;
    if (!must_wait()) return failed(trouble);
    acknowledge_now(s);
    if (ss_clock_left(deadline) == 0 || !ss_poll_one(s->fd, POLLIN, deadline))
      return ss_trouble_set(trouble, SS_WHY_TIMEOUT, "nothing arrived in time");
  }
}

static ss_why too_slow(ss_trouble *trouble)
{
  return ss_trouble_set(trouble, SS_WHY_TIMEOUT, "the peer did not take all of it in time");
}

ss_why ss_stream_write(ss_stream *s, const void *from, size_t n, ss_time deadline, size_t *taken,
                       ss_trouble *trouble)
{
  *taken = 0;
  if (!s->open) return closed_here(trouble);
  while (*taken < n) {
    ssize_t sent = send(s->fd, (const char *)from + *taken, n - *taken, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent >= 0) {
      *taken += (size_t)sent;
      if (*taken < n && ss_clock_left(deadline) == 0) return too_slow(trouble);
    } else if (must_wait()) {
      if (ss_clock_left(deadline) == 0 || !ss_poll_one(s->fd, POLLOUT, deadline)) return too_slow(trouble);
    } else if (errno != EINTR) {
      return failed(trouble);
    }
  }
  return SS_WHY_NONE;
}

bool ss_stream_alive(const ss_stream *s)
{
  char byte;
  return s->open && recv(s->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && must_wait();
}

bool ss_stream_peer(const ss_stream *s, ss_address *peer)
{
  peer->length = sizeof peer->sa;
  return s->open && getpeername(s->fd, (struct sockaddr *)&peer->sa, &peer->length) == 0;
}

bool ss_stream_name(const ss_stream *s, ss_address *name)
{
  name->length = sizeof name->sa;
  return s->open && getsockname(s->fd, (struct sockaddr *)&name->sa, &name->length) == 0;
}

void ss_stream_close(ss_stream *s)
{
  if (s->open) close(s->fd);
  s->open = false;
}

void ss_stream_reset(ss_stream *s)
{
  const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
  if (s->open) setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  ss_stream_close(s);
}
