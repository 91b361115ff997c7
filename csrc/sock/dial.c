/* dial: see dial.h. */
#include "sock/dial.h"

#include "sock/poll.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const ss_time attempt_delay = 250 * (ss_time)SS_MILLISECOND; /* RFC 8305 section 5 */
static const ss_time busy_delay = 20 * (ss_time)SS_MILLISECOND;

static void begin(ss_dial *d, double seconds)
{
  memset(d, 0, sizeof *d);
  d->seconds = seconds;
  d->deadline = ss_clock_after(seconds);
  d->next = ss_clock_now();
}

ss_why ss_dial_host(ss_dial *d, const char *host, int port, double seconds, ss_trouble *trouble)
{
  begin(d, seconds);
  snprintf(d->name, sizeof d->name, "%s port %d", host, port);
  d->names = ss_resolution_start(host, port, trouble);
  return d->names ? SS_WHY_NONE : trouble->why;
}

ss_why ss_dial_path(ss_dial *d, const char *path, double seconds, ss_trouble *trouble)
{
  begin(d, seconds);
  snprintf(d->name, sizeof d->name, "%s", path);
  if (!ss_address_unix(&d->to.at[0], path))
    return ss_trouble_set(trouble, SS_WHY_CONNECT, "%s: the path of a unix socket has 1 to %d bytes", path,
                          SS_ADDRESS_PATH);
  d->to.count = 1;
  return SS_WHY_NONE;
}

/* Adds "address: reason" to the list of failures, or only the reason where the address is what the user wrote. */
static void note(ss_dial *d, size_t address, const char *reason)
{
  char text[SS_ADDRESS_TEXT];
  size_t used = strlen(d->failures);
  ss_address_text(&d->to.at[address], text);
  size_t length = strlen(text);
  bool named = strncmp(d->name, text, length) == 0 && (d->name[length] == ' ' || d->name[length] == '\0');
  snprintf(d->failures + used, sizeof d->failures - used, "%s%s%s%s", used > 0 ? "; " : "", named ? "" : text,
           named ? "" : ": ", reason);
}

/* An attempt failed: the next address is tried at once. */
static void fail(ss_dial *d, size_t address, int error)
{
  note(d, address, strerror(error));
  d->next = ss_clock_now();
}

static void keep(ss_dial *d, int fd, size_t address)
{
  d->open[d->opened].fd = fd;
  d->open[d->opened++].address = address;
  d->next = ss_clock_now() + attempt_delay;
}

/* Begins the attempt on the next address. Returns the descriptor where it is connected already, else -1. */
static int attempt(ss_dial *d)
{
  size_t address = d->tried++;
  const ss_address *to = &d->to.at[address];
  int fd = socket(to->sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd >= 0 && connect(fd, (const struct sockaddr *)&to->sa, to->length) == 0) return fd;
  int error = errno;
  if (error == EINPROGRESS || error == EINTR) {
    keep(d, fd, address);
    return -1;
  }
  if (fd >= 0) close(fd);
  if (error == EAGAIN && to->sa.ss_family == AF_UNIX) {
    d->tried--; /* the listener's queue is full, and nothing will tell when it no longer is */
    d->next = ss_clock_now() + busy_delay;
  } else {
    fail(d, address, error);
  }
  return -1;
}

static void forget(ss_dial *d, size_t i)
{
  d->opened--;
  memmove(&d->open[i], &d->open[i + 1], (d->opened - i) * sizeof d->open[0]);
}

/* Looks what became of the i-th attempt under way. Returns its descriptor when it is connected, else -1; it is still
 * open then, or was noted as failed and forgotten. */
static int outcome(ss_dial *d, size_t i)
{
  int fd = d->open[i].fd, error = 0;
  socklen_t length = sizeof error;
  if (!ss_poll_one(fd, POLLOUT, 0)) return -1;
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0) error = errno;
  size_t address = d->open[i].address;
  forget(d, i);
  if (error == 0) return fd;
  close(fd);
  fail(d, address, error);
  return -1;
}

/* Looks at the attempts under way, then begins those whose time has come. Returns a connected descriptor or -1. */
static int advance(ss_dial *d)
{
  int fd = -1;
  for (size_t i = 0; i < d->opened && fd < 0;) {
    size_t before = d->opened;
    fd = outcome(d, i);
    if (d->opened == before) i++;
  }
  while (fd < 0 && d->tried < d->to.count && ss_clock_now() >= d->next)
    fd = attempt(d);
  return fd;
}

static ss_why too_late(ss_dial *d, ss_trouble *trouble)
{
  if (d->names)
    return ss_trouble_set(trouble, SS_WHY_TIMEOUT, "%s: the name was not resolved within %.3g s", d->name,
                          d->seconds);
  for (size_t i = 0; i < d->opened; i++)
    note(d, d->open[i].address, "no answer");
  return ss_trouble_set(trouble, SS_WHY_TIMEOUT, "%s: not connected within %.3g s%s%s", d->name, d->seconds,
                        d->failures[0] ? ": " : "", d->failures);
}

static ss_why connect_any(ss_dial *d, int *fd, ss_trouble *trouble)
{
  *fd = advance(d);
  if (*fd >= 0) return SS_WHY_NONE;
  if (d->opened > 0 || d->tried < d->to.count) return SS_WHY_AGAIN;
  return ss_trouble_set(trouble, SS_WHY_CONNECT, "%s: %s", d->name, d->failures);
}

ss_why ss_dial_step(ss_dial *d, int *fd, ss_trouble *trouble)
{
  ss_why why = SS_WHY_NONE;
  if (d->names) {
    why = ss_resolution_step(d->names, &d->to, trouble);
    if (why == SS_WHY_NONE) {
      ss_resolution_drop(d->names);
      d->names = NULL;
    }
  }
  if (why == SS_WHY_NONE) why = connect_any(d, fd, trouble);
  if (why == SS_WHY_AGAIN && ss_clock_now() >= d->deadline) why = too_late(d, trouble);
  if (why != SS_WHY_AGAIN) ss_dial_close(d);
  return why;
}

size_t ss_dial_waits(const ss_dial *d, struct pollfd fds[SS_DIAL_WAITS], ss_time *until)
{
  size_t count = 0;
  *until = d->deadline;
  if (d->names) {
    fds[count++] = (struct pollfd){.fd = ss_resolution_fd(d->names), .events = POLLIN};
    return count;
  }
  for (; count < d->opened; count++)
    fds[count] = (struct pollfd){.fd = d->open[count].fd, .events = POLLOUT};
  if (d->tried < d->to.count && d->next < *until) *until = d->next;
  return count;
}

ss_why ss_dial_run(ss_dial *d, int *fd, ss_trouble *trouble)
{
  for (;;) {
    ss_why why = ss_dial_step(d, fd, trouble);
    if (why != SS_WHY_AGAIN) return why;
    struct pollfd fds[SS_DIAL_WAITS];
    ss_time until;
    nfds_t count = ss_dial_waits(d, fds, &until);
    ss_poll(fds, count, until);
  }
}

void ss_dial_close(ss_dial *d)
{
  ss_resolution_drop(d->names);
  d->names = NULL;
  while (d->opened > 0)
    close(d->open[--d->opened].fd);
  d->to.count = d->tried = 0;
}
