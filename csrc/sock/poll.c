/* poll: see poll.h. */
#include "sock/poll.h"

#include <errno.h>

int ss_poll(struct pollfd *fds, nfds_t count, ss_time deadline)
{
  int ready;
  do {
    ready = poll(fds, count, ss_clock_left(deadline));
  } while ((ready == 0 && ss_clock_left(deadline) > 0) || (ready < 0 && errno == EINTR));
  return ready;
}

bool ss_poll_one(int fd, short events, ss_time deadline)
{
  struct pollfd one = {.fd = fd, .events = events};
  return ss_poll(&one, 1, deadline) != 0;
}
