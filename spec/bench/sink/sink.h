/* The bench's sink: an SMTP server that judges clients. One process, one thread, epoll, OpenSSL.
 *
 * It shares no code with the library, so that a mistake made there is not made here again. It takes mail of any size and
 * keeps nothing of it but what is counted; it can hold its replies back until the client is silent, so that round trips
 * are seen without a network; it can cut a connection at any byte; and it remembers what it took responsibility for.
 *
 *   main.c     listeners, the loop, the clock          wire.c   bytes: TLS, holding, cutting, counting
 *   smtp.c     commands and replies (RFC 5321…)        body.c   what is inside DATA and BDAT
 *   control.c  what a test tells the sink and asks     bytes.c  a buffer
 */
#ifndef BENCH_SINK_H
#define BENCH_SINK_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- bytes: a queue of bytes that grows ---- */

typedef struct {
  char *base;
  size_t begin, end, size;
} bytes;

char *bytes_room(bytes *b, size_t n); /* where n more may be written; bytes_grew says how many were */
void bytes_grew(bytes *b, size_t n);
void bytes_add(bytes *b, const void *from, size_t n);
void bytes_drop(bytes *b, size_t n);
void bytes_free(bytes *b);
static inline size_t bytes_count(const bytes *b)
{
  return b->end - b->begin;
}
static inline char *bytes_at(const bytes *b)
{
  return b->base + b->begin;
}

/* ---- what is counted ---- */

/* A round trip belongs to what the client had sent in it: mail before QUIT before everything else. The greeting of a
 * server that speaks first is the one that nothing was sent for. */
typedef enum { TRIP_GREETING, TRIP_SETUP, TRIP_WARM, TRIP_QUIT, TRIPS } trip;

#define SINK_COUNTS(X)                                                                                       \
  X(connections)                                                                                             \
  X(handshakes)                                                                                              \
  X(resumed)                                                                                                 \
  X(trips_greeting)                                                                                          \
  X(trips_setup)                                                                                             \
  X(trips_warm)                                                                                              \
  X(trips_quit)                                                                                              \
  X(bytes_in)                                                                                                \
  X(bytes_out)                                                                                               \
  X(reads)                                                                                                   \
  X(writes)                                                                                                  \
  X(records_in)                                                                                              \
  X(records_out)                                                                                             \
  X(commands)                                                                                                \
  X(commits) X(recipients) X(refused) X(deferred) X(nacked) X(body_bytes) X(errors) X(injected) X(cuts)

typedef struct {
#define X(name) uint64_t name;
  SINK_COUNTS(X)
#undef X
} counts;

/* ---- what a test sets ---- */

enum {
  OFFER_PIPELINING = 1,
  OFFER_CHUNKING = 2,
  OFFER_8BITMIME = 4,
  OFFER_SMTPUTF8 = 8,
  OFFER_ENHANCED = 16,
  OFFER_SIZE = 32,
  OFFER_DSN = 64,
  OFFER_AUTH = 128,
  OFFER_STARTTLS = 256,
  OFFER_ALL = 511,
};

/* How the sink is broken: as servers that promise an extension and do not keep it. */
typedef enum {
  BROKEN_NOT,
  BROKEN_PIPELINING,     /* what came in one read behind a command is forgotten */
  BROKEN_CHUNKING,       /* BDAT is 500; its octets are swallowed */
  BROKEN_CHUNKING_RAW,   /* BDAT is 500; its octets are taken for commands */
  BROKEN_CHUNKING_CLOSE, /* BDAT is answered by hanging up */
} broken;

typedef enum { CUT_NOT, CUT_FIN, CUT_RST, CUT_STALL } cut_how;

typedef struct {
  cut_how how;
  bool out;    /* counted in bytes written; else in bytes read */
  uint64_t at; /* so many bytes still pass */
} cut;

typedef struct {
  unsigned offer;
  char extra[1024];            /* more lines of the EHLO reply, each ended by '\n' */
  unsigned rcpt_max, mail_max; /* RFC 9422, taken from `extra`; 0: no limit */
  uint64_t size_max;
  int hold_ms; /* replies wait until the client was silent for so long; 0: they go at once */
  bool journal, crc;
  bool lenient; /* a refused DATA or BDAT LAST ends the transaction; else only RSET does */
  broken broken;
  cut cut; /* of the next connection */
} settings;

/* ---- connections ---- */

typedef enum { BODY_NONE, BODY_DATA, BODY_BDAT, BODY_SWALLOW } body_mode;

/* The message that is arriving. */
typedef struct {
  body_mode mode;
  int dot;        /* DATA: how much of CRLF . CRLF was seen */
  uint64_t left;  /* BDAT: octets to come in this chunk */
  bool last;      /* BDAT: this chunk is the last */
  bool started;   /* BDAT: a chunk was taken */
  uint64_t count; /* octets of the message so far */
  uint32_t crc;
  bytes head; /* its beginning, in which Message-ID is looked for */
} body;

typedef enum { AUTH_NONE, AUTH_PLAIN, AUTH_LOGIN_USER, AUTH_LOGIN_PASSWORD } auth_step;

typedef struct {
  bool greeted, logged_in;
  auth_step auth;
  bool in_mail, nack;
  unsigned recipients, asked, mails;
  body body;
} smtp;

typedef enum {
  LINK_OPEN,
  LINK_ENDING,   /* closed when what is to be written is written */
  LINK_DRAINING, /* FIN was sent; what comes is thrown away */
  LINK_STALLED,
  LINK_DEAD,
} link_state;

typedef struct conn {
  struct conn *next;
  int fd;
  bool control; /* a connection of a test to control.c; else SMTP */
  link_state state;
  uint64_t number;
  SSL *ssl;
  bytes input;   /* in clear, not looked at yet */
  bytes replies; /* in clear, not sealed yet */
  bytes wire;    /* to be written */
  uint64_t total_in, total_out;
  cut cut;
  unsigned saw;    /* bits of trip: what came since the last write */
  double flush_at; /* when held replies go; 0: nothing is held */
  unsigned events; /* what epoll was told */
  bool start_tls;  /* 220 was said: TLS comes next */
  smtp smtp;
} conn;

typedef struct {
  char id[160];
  uint64_t conn, bytes;
  unsigned recipients;
  uint32_t crc;
} commit;

typedef struct {
  int poll;
  SSL_CTX *tls;
  conn *conns;
  settings settings;
  counts counts;
  uint64_t numbers; /* connections so far */
  commit *journal;
  size_t commits, commits_size;
  bool stopped;
} sink;

extern sink the_sink;

double sink_now(void); /* seconds */
void sink_defaults(settings *s);
void sink_die(const char *what);

/* wire.c */
void wire_begin(conn *c, bool tls); /* after accept */
void wire_readable(conn *c);
void wire_writable(conn *c);
void wire_flush(conn *c); /* held replies go now */
void wire_end(conn *c);   /* hang up when what was said is written */
void wire_watch(conn *c); /* tells epoll what matters now */
void wire_free(conn *c);

/* smtp.c */
void smtp_greet(conn *c);
void smtp_input(conn *c); /* looks at c->input, as far as it goes */
void smtp_message_end(conn *c);
void smtp_secured(conn *c); /* STARTTLS is done: everything is forgotten, RFC 3207 section 4.2 */
void smtp_free(conn *c);

/* body.c */
void body_begin(body *b);
void body_take(conn *c); /* takes what c->input has for the body; calls smtp_message_end at its end */
void body_id(const body *b, char *to, size_t size);

/* control.c */
void control_input(conn *c);

#endif
