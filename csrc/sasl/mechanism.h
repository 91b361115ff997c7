/* mechanism: what a SASL mechanism (RFC 4422) is to the rest of the engine: challenge in, response out.
 *
 * A mechanism is one file with one descriptor, and a line in list.c. It knows nothing of SMTP, base64, TLS or sockets.
 * What it is given are copies that sasl.c wipes, with its state; it keeps secrets nowhere else. */
#ifndef SS_MECHANISM_H
#define SS_MECHANISM_H

#include "base/binding.h"
#include "base/buf.h"

/* Bytes that somebody else owns; `bytes` is NULL where nothing was given. */
typedef struct ss_span {
  const char *bytes;
  size_t length;
} ss_span;

/* What the caller knows, UTF-8. */
typedef struct ss_credentials {
  ss_span user, password, token;
  ss_span host;        /* the server as the caller named it */
  unsigned port;       /* 0: not known */
  unsigned iterations; /* most rounds of a key derivation that the server may ask for */
  const char *binding; /* type of the channel binding; NULL: none is wanted, or the channel has none */
} ss_credentials;

/* Most rounds of a key derivation, where the caller sets no bound: a second of a busy machine. */
enum { SS_ITERATIONS = 1000000 };

/* What a mechanism cannot do without. */
enum {
  SS_NEEDS_USER = 1,
  SS_NEEDS_PASSWORD = 2,
  SS_NEEDS_TOKEN = 4,
  SS_NEEDS_CERTIFICATE = 8,
  SS_NEEDS_HOST = 16
};

enum {
  SS_MECHANISM_STATE = 256,
  SS_HOST_BYTES = 255 /* longest name of a server (RFC 5321 section 4.5.3.1.2) */
};

typedef struct ss_mechanism ss_mechanism;

/* One exchange, as its mechanism sees it. */
typedef struct ss_exchange {
  const ss_mechanism *mechanism;
  ss_credentials who;
  const ss_binding *binding; /* NULL: this channel cannot be bound */
  bool binding_offered;      /* the server offers a mechanism that binds */
  int round;                 /* number of the challenge; 0: none has come yet */
  void *state;               /* the mechanism's own, SS_MECHANISM_STATE aligned bytes, zero at first */
  ss_buf *response;          /* to be appended to */
  ss_buf *complaint;         /* where the server says in a challenge why it refuses, those words */
  bool done; /* to be set once nothing more is expected but the outcome; a complaint takes it back */
} ss_exchange;

struct ss_mechanism {
  const char *name;
  unsigned needs;    /* of SS_NEEDS_* */
  bool client_first; /* its first response needs no challenge */
  bool binds;        /* it proves that both ends see the same channel (RFC 5056) */
  bool prepares;     /* user and password go through SASLprep (RFC 4013) before they get here */
  bool only_named;   /* never chosen unless the caller names it */
  int challenges;    /* most challenges that an honest server sends */

  /* Appends the response to challenge number x->round (0 for the initial response of a client-first mechanism, whose
   * challenge is NULL; the first challenge of the others is 1). SS_OK, x->done set at the end; SS_E_AUTH with `e` set
   * when the server's part is wrong; SS_E_ARGUMENT with `e` set, but only of the initial response, for credentials
   * that it cannot say; SS_E_MEMORY. */
  ss_status (*step)(ss_exchange *x, const uint8_t *challenge, size_t n, ss_error *e);
};

/* Appends to the response: SS_OK, SS_E_FULL or SS_E_MEMORY. */
static inline ss_status ss_put(ss_exchange *x, ss_span s)
{
  return ss_buf_append(x->response, s.bytes, s.length);
}

static inline ss_status ss_put_text(ss_exchange *x, const char *text)
{
  return ss_buf_puts(x->response, text);
}

/* All of them, strongest first, ended by NULL. */
extern const ss_mechanism *const ss_mechanisms[];

/* By name, without regard to case; NULL when there is none. */
const ss_mechanism *ss_mechanism_find(const char *name);

#endif
