/* filter: see filter.h. */
#include "tls/filter.h"
#include "base/openssl_error.h"
#include "tls/binding.h"
#include "tls/watch.h"
#include "tls/wire.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
  IN_CAP = 256 * 1024,
  OUT_CAP = 256 * 1024,
  HANDSHAKE_CAP = 256 * 1024, /* the longest chain accepted, twice: no peer shakes hands for ever */
  RECORD = SSL3_RT_MAX_PLAIN_LENGTH,
  RECORD_ROOM = RECORD + 1024, /* one in its cipher's clothes, and a key update before it */
  READ_STEP = 4096
};

struct ss_tls {
  ss_tls_context *context;
  SSL *ssl;
  ss_tls_wire wire;
  ss_tls_watch watch;
  ss_tls_session *offered; /* until the handshake is done */
  size_t received;         /* before the handshake was done */
  bool up;
  bool hindered; /* what was read last met a full buffer */
  bool closing;  /* we sent close_notify */
  bool closed;   /* the peer did */
  ss_error error;
};

/* --- birth and death --- */

static bool prepare_client(ss_tls *t, ss_tls_session *session)
{
  SSL_set_connect_state(t->ssl);
  if (!ss_tls_identity_apply(t->watch.identity, t->ssl)) return false;
  if (session && ss_tls_session_offer(session, t->ssl, t->context, t->watch.identity))
    t->offered = ss_tls_session_ref(session);
  return true;
}

static bool prepare(ss_tls *t, ss_tls_session *session)
{
  t->ssl = SSL_new(ss_tls_context_ssl(t->context));
  BIO *bio = t->ssl ? ss_tls_wire_bio(ss_tls_context_wire(t->context), &t->wire) : NULL;
  if (!bio) return false;
  SSL_set_bio(t->ssl, bio, bio);
  if (!SSL_set_app_data(t->ssl, &t->watch)) return false;
  if (t->watch.identity) return prepare_client(t, session);
  SSL_set_accept_state(t->ssl);
  return true;
}

ss_tls *ss_tls_new(ss_tls_context *context, const ss_tls_peer *peer, ss_tls_session *session, ss_error *e)
{
  bool client = ss_tls_context_role(context) == SS_TLS_CLIENT;
  if (client != (peer != NULL)) {
    ss_fail(e, SS_E_ARGUMENT, client ? "TLS: a client needs a peer" : "TLS: a server's peer has no name");
    return NULL;
  }
  ss_tls_identity *identity = client ? ss_tls_identity_new(peer, e) : NULL;
  if (client && !identity) return NULL;
  ss_tls *t = calloc(1, sizeof *t);
  if (!t) {
    ss_tls_identity_unref(identity);
    ss_fail(e, SS_E_MEMORY, "out of memory");
    return NULL;
  }
  t->context = ss_tls_context_ref(context);
  t->watch.identity = identity;
  ss_buf_init(&t->wire.in, IN_CAP);
  ss_buf_init(&t->wire.out, OUT_CAP);
  bool prepared = prepare(t, session);
  ss_openssl_forget();
  if (prepared) return t;
  ss_tls_free(t);
  ss_fail(e, SS_E_MEMORY, "out of memory");
  return NULL;
}

void ss_tls_free(ss_tls *t)
{
  if (!t) return;
  SSL_free(t->ssl);
  ss_tls_watch_clear(&t->watch);
  ss_tls_session_unref(t->offered);
  ss_buf_free(&t->wire.in);
  ss_buf_free(&t->wire.out);
  ss_tls_context_unref(t->context);
  free(t);
}

/* --- errors --- */

static ss_status fatal(ss_tls *t, ss_status status, const char *reason, const char *text)
{
  ss_fail(&t->error, status, "%s", text);
  snprintf(t->error.reason, sizeof t->error.reason, "%s", reason);
  return status;
}

static ss_status certificate_refused(ss_tls *t)
{
  const ss_tls_identity *id = t->watch.identity;
  ss_fail(&t->error, SS_E_TLS, "the certificate of %s was refused: %s",
          id && id->name[0] ? id->name : "the peer", t->watch.reason);
  snprintf(t->error.reason, sizeof t->error.reason, "%s", t->watch.reason);
  return SS_E_TLS;
}

static ss_status cut(ss_tls *t, const char *words)
{
  return fatal(t, SS_E_CLOSED, words,
               t->up ? "the connection was cut: TLS was not ended by close_notify"
                     : "the peer closed the connection during the TLS handshake");
}

/* The first error that OpenSSL queued, said in our words where we know better. */
static ss_status broken(ss_tls *t)
{
  char words[SS_ERROR_REASON];
  unsigned long code = ss_openssl_words(words, sizeof words);
  int reason = ERR_GET_REASON(code);
  if (t->wire.starved || reason == ERR_R_MALLOC_FAILURE) return fatal(t, SS_E_MEMORY, "", "out of memory");
  if (ERR_GET_LIB(code) == ERR_LIB_SSL && reason == SSL_R_UNEXPECTED_EOF_WHILE_READING) return cut(t, words);
  bool judged = reason == SSL_R_CERTIFICATE_VERIFY_FAILED || reason == SSL_R_INVALID_STATUS_RESPONSE;
  if (ERR_GET_LIB(code) == ERR_LIB_SSL && judged && t->watch.reason) return certificate_refused(t);
  ss_fail(&t->error, SS_E_TLS, t->up ? "TLS failed: %s" : "the TLS handshake failed: %s", words);
  snprintf(t->error.reason, sizeof t->error.reason, "%s", words);
  return SS_E_TLS;
}

/* What an SSL call that did not succeed means. */
static ss_status outcome(ss_tls *t, int result)
{
  switch (SSL_get_error(t->ssl, result)) {
  case SSL_ERROR_WANT_READ: return SS_AGAIN;
  case SSL_ERROR_WANT_WRITE: return SS_E_FULL;
  case SSL_ERROR_ZERO_RETURN:
    t->closed = true;
    return fatal(t, SS_E_CLOSED, "", "the peer closed the connection");
  default: return broken(t);
  }
}

const ss_error *ss_tls_error(const ss_tls *t)
{
  return &t->error;
}

/* --- the wire --- */

/* RFC 8446 section 5.1: a record begins with its type, then a version whose first byte is 3; the first that a peer
 * sends is of its handshake, or an alert. A peer that says anything else never meant to speak TLS. */
static bool begins_tls(const ss_tls *t, const uint8_t *bytes, size_t n)
{
  for (size_t i = 0; i < n && t->received + i < 2; i++)
    if (t->received + i == 1 ? bytes[i] != 3 : bytes[i] != SSL3_RT_HANDSHAKE && bytes[i] != SSL3_RT_ALERT)
      return false;
  return true;
}

static ss_status greet(ss_tls *t, const uint8_t *bytes, size_t n)
{
  if (!begins_tls(t, bytes, n)) {
    ss_buf_clear(&t->wire.out); /* it could make nothing of our bytes either */
    return fatal(t, SS_E_TLS, "peer does not speak TLS", "the peer does not speak TLS on this port");
  }
  t->received += n;
  if (t->received <= HANDSHAKE_CAP) return SS_OK;
  return fatal(t, SS_E_LIMIT, "handshake too long", "the peer's TLS handshake does not end");
}

ss_status ss_tls_feed(ss_tls *t, const void *bytes, size_t n)
{
  if (t->error.status != SS_OK) return t->error.status;
  if (n > ss_buf_room(&t->wire.in)) return SS_E_FULL;
  ss_status status = t->up ? SS_OK : greet(t, bytes, n);
  if (status == SS_OK) status = ss_buf_append(&t->wire.in, bytes, n);
  return status == SS_E_MEMORY ? fatal(t, SS_E_MEMORY, "", "out of memory") : status;
}

void ss_tls_eof(ss_tls *t)
{
  t->wire.ended = true;
}

const uint8_t *ss_tls_output(const ss_tls *t, size_t *n)
{
  *n = ss_buf_len(&t->wire.out);
  return ss_buf_data(&t->wire.out);
}

void ss_tls_consumed(ss_tls *t, size_t n)
{
  ss_buf_consume(&t->wire.out, n);
}

/* --- the handshake --- */

/* A resumed connection is proven by what its session was: the peer showed no certificate now. */
static void adopt_session_proof(ss_tls *t)
{
  if (t->offered) ss_tls_session_prove(t->offered, &t->watch);
  bool shown = !t->watch.identity && SSL_get0_peer_certificate(t->ssl);
  if (shown && SSL_get_verify_result(t->ssl) == X509_V_OK) t->watch.proof = "pkix";
}

static ss_status finish_handshake(ss_tls *t)
{
  if (SSL_session_reused(t->ssl)) adopt_session_proof(t);
  ss_tls_session_unref(t->offered);
  t->offered = NULL;
  if (t->watch.identity && !t->watch.identity->optional && !t->watch.proof)
    return fatal(t, SS_E_INTERNAL, "", "the TLS handshake ended without a proof of the peer's identity");
  t->up = true;
  return SS_OK;
}

ss_status ss_tls_handshake(ss_tls *t)
{
  if (t->error.status != SS_OK) return t->error.status;
  if (t->up) return SS_OK;
  ss_openssl_forget();
  int result = SSL_do_handshake(t->ssl);
  ss_status status = result == 1 ? finish_handshake(t) : outcome(t, result);
  ss_openssl_forget();
  return status;
}

bool ss_tls_is_up(const ss_tls *t)
{
  return t->up;
}

/* --- data --- */

static ss_status ready(const ss_tls *t)
{
  if (t->error.status != SS_OK) return t->error.status;
  return t->up ? SS_OK : SS_E_STATE;
}

/* One record at the most. */
static ss_status read_some(ss_tls *t, ss_buf *to)
{
  size_t step = (size_t)SSL_pending(t->ssl), got;
  if (step < READ_STEP) step = READ_STEP;
  if (step > ss_buf_room(to)) step = ss_buf_room(to);
  if (step == 0) return SS_E_FULL;
  uint8_t *place = ss_buf_reserve(to, step);
  if (!place) return fatal(t, SS_E_MEMORY, "", "out of memory");
  int result = SSL_read_ex(t->ssl, place, step, &got);
  if (result != 1) return outcome(t, result);
  ss_buf_commit(to, got);
  return SS_OK;
}

/* Whether OpenSSL could but ask for more bytes. Not so where it has something to write first: a full buffer was in its way. */
static bool is_drained(const ss_tls *t)
{
  return ss_buf_len(&t->wire.in) == 0 && !t->wire.ended && !t->hindered && !SSL_has_pending(t->ssl);
}

ss_status ss_tls_read(ss_tls *t, ss_buf *to)
{
  size_t before = ss_buf_len(to);
  ss_status status = ready(t);
  if (status != SS_OK) return status;
  if (is_drained(t)) return SS_AGAIN;
  ss_openssl_forget();
  do
    status = read_some(t, to);
  while (status == SS_OK && !is_drained(t));
  t->hindered = status == SS_E_FULL;
  ss_openssl_forget();
  return ss_buf_len(to) > before ? SS_OK : status;
}

/* Only whole records that fit: OpenSSL never has to keep half of one, and a caller may change its mind about the
 * rest. */
ss_status ss_tls_write(ss_tls *t, const void *bytes, size_t n, size_t *taken)
{
  size_t fit = ss_buf_room(&t->wire.out) / RECORD_ROOM * RECORD;
  ss_status status = ready(t);
  *taken = 0;
  if (status != SS_OK) return status;
  if (t->closing) return SS_E_STATE;
  if (n == 0) return SS_OK;
  if (fit == 0) return SS_E_FULL;
  ss_openssl_forget();
  int result = SSL_write_ex(t->ssl, bytes, n < fit ? n : fit, taken);
  status = result == 1 ? SS_OK : outcome(t, result);
  ss_openssl_forget();
  return status;
}

void ss_tls_close_notify(ss_tls *t)
{
  if (!t->up || t->closing || (t->error.status != SS_OK && !t->closed)) return;
  t->closing = true;
  ss_openssl_forget();
  SSL_shutdown(t->ssl);
  ss_openssl_forget();
}

bool ss_tls_closed_cleanly(const ss_tls *t)
{
  return t->closed;
}

/* --- what it was --- */

bool ss_tls_is_authenticated(const ss_tls *t)
{
  return t->up && t->watch.proof;
}

/* Read when it is first asked for. A resumed connection was shown none: its session kept it. */
static const ss_tls_certificate *certificate_now(ss_tls *t)
{
  X509 *x509 = t->watch.shown ? t->watch.shown : SSL_get0_peer_certificate(t->ssl);
  ss_tls_certificate *known = t->watch.certificate;
  if (!x509 || (known && known->x509 == x509)) return known;
  ss_tls_certificate_unref(known);
  t->watch.certificate = ss_tls_certificate_new(x509);
  return t->watch.certificate;
}

void ss_tls_facts_now(ss_tls *t, ss_tls_facts *facts)
{
  *facts = (ss_tls_facts){
      .authenticated = t->up ? t->watch.proof : NULL, .reason = t->watch.reason, .peer = certificate_now(t)};
  ss_tls_facts_read(t->ssl, facts);
}

bool ss_tls_binding(const ss_tls *t, const char *type, ss_binding *to)
{
  return t->up && ss_tls_binding_of(t->ssl, type, to);
}

ss_tls_session *ss_tls_take_session(ss_tls *t)
{
  return t->up ? ss_tls_session_take(&t->watch, t->context) : NULL;
}
