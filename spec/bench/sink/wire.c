/* wire: the bytes of a connection, in and out, in clear and in TLS; where they are counted, held and cut.
 *
 * TLS runs over memory BIOs, so that every byte that is on the wire passes here and a cut falls exactly where it was
 * asked for. What was read before a cut is processed and answered. */
#include "sink.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CHUNK = 65536, BACKLOG = 1 << 18 };

/* ---- ending ---- */

static void die(conn *c)
{
  close(c->fd);
  c->state = LINK_DEAD;
}

static void cut_now(conn *c)
{
  the_sink.counts.cuts++;
  bytes_free(&c->wire);
  c->flush_at = 0;
  switch (c->cut.how) {
  case CUT_RST:
    setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1, .l_linger = 0},
               sizeof(struct linger));
    die(c);
    return;
  case CUT_STALL: c->state = LINK_STALLED; return;
  default: /* closing over unread bytes would send RST, so they are read and thrown away */
    shutdown(c->fd, SHUT_WR);
    c->state = LINK_DRAINING;
  }
}

static bool cut_reached(const conn *c)
{
  return c->cut.how != CUT_NOT && c->cut.at == (c->cut.out ? c->total_out : c->total_in);
}

/* How many of n bytes may pass before the cut. */
static size_t until_cut(const conn *c, bool out, size_t n)
{
  if (c->cut.how == CUT_NOT || c->cut.out != out) return n;
  uint64_t left = c->cut.at - (out ? c->total_out : c->total_in);
  return left < n ? (size_t)left : n;
}

/* ---- out ---- */

static void take_tls_output(conn *c)
{
  char *data;
  long n = BIO_get_mem_data(SSL_get_wbio(c->ssl), &data);
  if (n <= 0) return;
  bytes_add(&c->wire, data, (size_t)n);
  (void)BIO_reset(SSL_get_wbio(c->ssl));
}

/* Moves what was said to what is written. */
static void seal(conn *c)
{
  size_t n = bytes_count(&c->replies);
  if (!c->ssl) {
    bytes_add(&c->wire, bytes_at(&c->replies), n);
    bytes_drop(&c->replies, n);
  } else {
    if (n > 0 && SSL_is_init_finished(c->ssl) && SSL_write(c->ssl, bytes_at(&c->replies), (int)n) > 0)
      bytes_drop(&c->replies, n);
    take_tls_output(c);
  }
}

void wire_writable(conn *c)
{
  while (bytes_count(&c->wire) > 0 && (c->state == LINK_OPEN || c->state == LINK_ENDING)) {
    size_t most = until_cut(c, true, bytes_count(&c->wire));
    ssize_t n = most > 0 ? send(c->fd, bytes_at(&c->wire), most, MSG_NOSIGNAL) : 0;
    if (n < 0 && errno == EAGAIN) return;
    if (n < 0) {
      die(c);
      return;
    }
    if (!c->control) {
      the_sink.counts.writes++;
      the_sink.counts.bytes_out += (uint64_t)n;
    }
    c->total_out += (uint64_t)n;
    bytes_drop(&c->wire, (size_t)n);
    if (c->cut.out && cut_reached(c)) {
      cut_now(c);
      return;
    }
  }
  if (c->state == LINK_ENDING) {
    shutdown(c->fd, SHUT_WR);
    c->state = LINK_DRAINING;
  }
}

static void count_trip(conn *c)
{
  if (c->control) return;
  counts *k = &the_sink.counts;
  if (c->saw & 1U << TRIP_WARM)
    k->trips_warm++;
  else if (c->saw & 1U << TRIP_QUIT)
    k->trips_quit++;
  else if (c->saw & 1U << TRIP_SETUP)
    k->trips_setup++;
  else
    k->trips_greeting++;
  c->saw = 0;
}

void wire_flush(conn *c)
{
  c->flush_at = 0;
  seal(c);
  if (bytes_count(&c->wire) == 0) return;
  count_trip(c);
  wire_writable(c);
}

/* Replies go now, or when the client has been silent for a while. */
static void answer(conn *c)
{
  bool something = bytes_count(&c->replies) > 0 || bytes_count(&c->wire) > 0 ||
                   (c->ssl && BIO_pending(SSL_get_wbio(c->ssl)) > 0);
  if (!something) return;
  if (the_sink.settings.hold_ms > 0 && c->saw && !c->control)
    c->flush_at = sink_now() + the_sink.settings.hold_ms / 1e3;
  else
    wire_flush(c);
}

void wire_end(conn *c)
{
  if (c->state == LINK_OPEN) c->state = LINK_ENDING;
}

/* ---- in ---- */

static void count_record(int write, int version, int type, const void *buffer, size_t n, SSL *ssl, void *of)
{
  (void)version, (void)buffer, (void)n, (void)ssl, (void)of;
  if (type != SSL3_RT_HEADER) return;
  if (write)
    the_sink.counts.records_out++;
  else
    the_sink.counts.records_in++;
}

static void begin_tls(conn *c)
{
  c->ssl = SSL_new(the_sink.tls);
  if (!c->ssl) sink_die("SSL_new");
  SSL_set_bio(c->ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
  BIO_set_mem_eof_return(SSL_get_rbio(c->ssl), -1);
  SSL_set_msg_callback(c->ssl, count_record);
  SSL_set_accept_state(c->ssl);
}

/* Returns whether the handshake is done. */
static bool shake_hands(conn *c)
{
  if (SSL_is_init_finished(c->ssl)) return true;
  ERR_clear_error();
  int done = SSL_do_handshake(c->ssl);
  if (done == 1) {
    the_sink.counts.handshakes++;
    the_sink.counts.resumed += (uint64_t)SSL_session_reused(c->ssl);
    if (c->smtp.greeted)
      smtp_secured(c);
    else
      smtp_greet(c);
    return true;
  }
  if (SSL_get_error(c->ssl, done) != SSL_ERROR_WANT_READ) wire_end(c);
  return false;
}

static void look(conn *c)
{
  if (c->control)
    control_input(c);
  else
    smtp_input(c);
}

static void from_tls(conn *c)
{
  while (c->state == LINK_OPEN && shake_hands(c)) {
    ERR_clear_error();
    int n = SSL_read(c->ssl, bytes_room(&c->input, CHUNK), CHUNK);
    if (n <= 0) {
      if (SSL_get_error(c->ssl, n) != SSL_ERROR_WANT_READ) wire_end(c); /* close_notify, or nonsense */
      return;
    }
    bytes_grew(&c->input, (size_t)n);
    look(c);
  }
}

static void from_clear(conn *c)
{
  look(c);
  if (!c->start_tls) return;
  c->start_tls = false;
  if (bytes_count(&c->input) > 0) the_sink.counts.injected++; /* sent before TLS: never looked at */
  bytes_free(&c->input);
  seal(c);
  begin_tls(c);
}

/* The client is gone. It waited for no answer to a QUIT that came together with its end. */
static void gone(conn *c)
{
  if (c->flush_at > 0 && (c->saw & 1U << TRIP_WARM || !(c->saw & 1U << TRIP_QUIT))) wire_flush(c);
  if (c->state != LINK_DEAD) die(c);
}

static void discard(conn *c)
{
  char waste[CHUNK];
  ssize_t n = recv(c->fd, waste, sizeof waste, 0);
  if (n == 0 || (n < 0 && errno != EAGAIN)) gone(c);
}

void wire_readable(conn *c)
{
  if (c->state == LINK_STALLED) die(c);
  if (c->state == LINK_DRAINING || c->state == LINK_ENDING) discard(c);
  if (c->state != LINK_OPEN) return;
  bytes *to = &c->input;
  char sealed[CHUNK], *at = c->ssl ? sealed : bytes_room(to, CHUNK);
  ssize_t n = recv(c->fd, at, until_cut(c, false, CHUNK), 0);
  if (n < 0 && errno == EAGAIN) return;
  /* A client that lets Nagle wait for our acknowledgement would otherwise wait 40 ms at each flight. */
  setsockopt(c->fd, IPPROTO_TCP, TCP_QUICKACK, &(int){1}, sizeof(int));
  if (n <= 0) {
    gone(c);
    return;
  }
  c->total_in += (uint64_t)n;
  if (!c->control) {
    the_sink.counts.reads++;
    the_sink.counts.bytes_in += (uint64_t)n;
  }
  c->saw |= 1U << TRIP_SETUP;
  if (c->ssl) {
    BIO_write(SSL_get_rbio(c->ssl), sealed, (int)n);
    from_tls(c);
  } else {
    bytes_grew(to, (size_t)n);
    from_clear(c);
  }
  if (!c->cut.out && cut_reached(c)) {
    wire_flush(c);
    if (c->state != LINK_DEAD) cut_now(c);
    return;
  }
  if (c->state == LINK_ENDING && c->ssl) {
    seal(c);
    SSL_shutdown(c->ssl);
  }
  answer(c);
  if (c->state == LINK_ENDING && c->flush_at == 0) wire_writable(c);
}

void wire_begin(conn *c, bool tls)
{
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
  if (tls)
    begin_tls(c);
  else if (!c->control)
    smtp_greet(c);
  if (!c->control) {
    c->cut = the_sink.settings.cut;
    the_sink.settings.cut = (cut){0};
  }
  answer(c);
  if (c->state == LINK_OPEN && cut_reached(c)) cut_now(c);
}

void wire_watch(conn *c)
{
  unsigned wanted = c->state == LINK_STALLED ? EPOLLRDHUP : 0;
  size_t waiting = bytes_count(&c->wire);
  if (c->state != LINK_STALLED && waiting < BACKLOG) wanted |= EPOLLIN;
  if (waiting > 0 && c->flush_at == 0) wanted |= EPOLLOUT;
  if (wanted == c->events) return;
  epoll_ctl(the_sink.poll, EPOLL_CTL_MOD, c->fd, &(struct epoll_event){.events = wanted, .data.ptr = c});
  c->events = wanted;
}

void wire_free(conn *c)
{
  SSL_free(c->ssl);
  bytes_free(&c->input);
  bytes_free(&c->replies);
  bytes_free(&c->wire);
  smtp_free(c);
  free(c);
}
