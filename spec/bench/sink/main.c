/* main: sink CERTIFICATE KEY. Listens on three ports of 127.0.0.1 that the kernel chooses, and says them in one line:
 * "plain=P tls=P control=P". Ends at the control command "stop", or when standard input ends. */
#include "sink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = 64 };

sink the_sink;

double sink_now(void)
{
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

void sink_die(const char *what)
{
  fprintf(stderr, "sink: %s: %s\n", what, strerror(errno));
  exit(1);
}

void sink_defaults(settings *s)
{
  *s = (settings){.offer = OFFER_ALL, .journal = true};
}

/* ---- listeners: they come first in what epoll is told, and stand apart from connections by their address ---- */

typedef struct {
  int fd;
  bool tls, control;
  unsigned short port;
} listener;

static listener listeners[] = {{.tls = false}, {.tls = true}, {.control = true}};
enum { LISTENERS = sizeof listeners / sizeof *listeners };

static void watch(int fd, void *what)
{
  struct epoll_event e = {.events = EPOLLIN, .data.ptr = what};
  if (epoll_ctl(the_sink.poll, EPOLL_CTL_ADD, fd, &e) != 0) sink_die("epoll_ctl");
}

static void open_listener(listener *l)
{
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof to;
  l->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (l->fd < 0 || bind(l->fd, (struct sockaddr *)&to, size) != 0 || listen(l->fd, 511) != 0 ||
      getsockname(l->fd, (struct sockaddr *)&to, &size) != 0)
    sink_die("listen");
  l->port = ntohs(to.sin_port);
  watch(l->fd, l);
}

static void accept_all(listener *l)
{
  int fd;
  while ((fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
    conn *c = calloc(1, sizeof *c);
    if (!c) sink_die("memory");
    c->fd = fd;
    c->control = l->control;
    c->events = EPOLLIN;
    c->next = the_sink.conns;
    the_sink.conns = c;
    if (!c->control) {
      c->number = ++the_sink.numbers;
      the_sink.counts.connections++;
    }
    watch(fd, c);
    wire_begin(c, l->tls);
  }
}

static listener *as_listener(void *of)
{
  for (int i = 0; i < LISTENERS; i++)
    if (of == &listeners[i]) return &listeners[i];
  return NULL;
}

static void open_tls(const char *certificate, const char *key)
{
  static const unsigned char context[] = "sink";
  the_sink.tls = SSL_CTX_new(TLS_server_method());
  if (!the_sink.tls || SSL_CTX_use_certificate_chain_file(the_sink.tls, certificate) != 1 ||
      SSL_CTX_use_PrivateKey_file(the_sink.tls, key, SSL_FILETYPE_PEM) != 1)
    sink_die("certificate or key");
  SSL_CTX_set_min_proto_version(the_sink.tls, TLS1_2_VERSION);
  SSL_CTX_set_session_id_context(the_sink.tls, context, sizeof context - 1);
}

/* ---- the loop ---- */

static void serve(conn *c, unsigned events)
{
  if (c->state != LINK_DEAD && events & ~(unsigned)EPOLLOUT) wire_readable(c);
  if (c->state != LINK_DEAD && events & EPOLLOUT) wire_writable(c);
}

/* Returns milliseconds until the next held reply is due; -1 when there is none. */
static int flush_due(void)
{
  double now = sink_now(), next = 0;
  for (conn *c = the_sink.conns; c; c = c->next) {
    if (c->flush_at == 0 || c->state == LINK_DEAD) continue;
    if (c->flush_at <= now)
      wire_flush(c);
    else if (next == 0 || c->flush_at < next)
      next = c->flush_at;
  }
  return next == 0 ? -1 : (int)((next - now) * 1e3) + 1;
}

static void tidy(void)
{
  for (conn **at = &the_sink.conns; *at;) {
    conn *c = *at;
    if (c->state == LINK_DEAD) {
      *at = c->next;
      wire_free(c);
    } else {
      wire_watch(c);
      at = &c->next;
    }
  }
}

enum { SERVED = 1, ASKED = 2 };

/* One look at what there is; tests that ask are served only if they are waited for. Returns what was seen. */
static int turn(int timeout, bool tests)
{
  struct epoll_event events[EVENTS];
  int n = epoll_wait(the_sink.poll, events, EVENTS, timeout), seen = 0;
  for (int i = 0; i < n; i++) {
    void *of = events[i].data.ptr;
    listener *l = as_listener(of);
    bool test = l ? l->control : of && ((conn *)of)->control;
    seen |= test ? ASKED : SERVED;
    if (!of)
      the_sink.stopped = true;
    else if (test && !tests)
      continue;
    else if (l)
      accept_all(l);
    else
      serve(of, events[i].events);
  }
  tidy();
  return seen;
}

/* A test that asks is answered after everything that was there before its question. */
static void loop(void)
{
  while (!the_sink.stopped) {
    int wait = flush_due();
    tidy();
    if (!(turn(wait, false) & ASKED)) continue;
    while (turn(0, false) & SERVED && !the_sink.stopped)
      ;
    turn(0, true);
  }
}

int main(int argc, char **argv)
{
  if (argc != 3) {
    fputs("usage: sink CERTIFICATE KEY\n", stderr);
    return 2;
  }
  signal(SIGPIPE, SIG_IGN);
  sink_defaults(&the_sink.settings);
  open_tls(argv[1], argv[2]);
  the_sink.poll = epoll_create1(EPOLL_CLOEXEC);
  for (int i = 0; i < LISTENERS; i++)
    open_listener(&listeners[i]);
  struct epoll_event ended = {.events = EPOLLIN | EPOLLHUP};
  epoll_ctl(the_sink.poll, EPOLL_CTL_ADD, STDIN_FILENO,
            &ended); /* a file cannot be watched, and never ends us */
  printf("plain=%d tls=%d control=%d\n", listeners[0].port, listeners[1].port, listeners[2].port);
  fflush(stdout);
  loop();
  return 0;
}
