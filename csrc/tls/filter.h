/* filter: one TLS connection without a wire of its own: bytes in, bytes out.
 *
 *   wire -> ss_tls_feed -> ss_tls_handshake, then ss_tls_read
 *   ss_tls_write -> ss_tls_output, ss_tls_consumed -> wire
 *
 * Verification, names and versions are set before the first byte, and the peer's certificate is judged inside the
 * handshake: neither read nor write does anything before that succeeded. After every call there may be output, after
 * a failed one too (the alert that tells the peer why). A fatal error is kept and repeated. The filter knows no clock,
 * no socket and no protocol above it. */
#ifndef SS_TLS_FILTER_H
#define SS_TLS_FILTER_H

#include "base/binding.h"
#include "base/buf.h"
#include "base/status.h"
#include "tls/context.h"
#include "tls/facts.h"
#include "tls/peer.h"
#include "tls/session.h"

typedef struct ss_tls ss_tls;

/* A connection in the role of the context, which it keeps referenced. A client needs a `peer`; a server has none
 * (NULL). A `session` that was won from the same context and peer is offered for resumption; another is ignored, as
 * the facts then show. NULL and *e: SS_E_ARGUMENT for a peer that makes no sense, SS_E_MEMORY. */
ss_tls *ss_tls_new(ss_tls_context *context, const ss_tls_peer *peer, ss_tls_session *session, ss_error *e);

/* Frees at once, sending nothing. NULL is allowed. */
void ss_tls_free(ss_tls *t);

/* Takes in bytes from the wire: all of them, copied. SS_E_FULL: read first, then feed again. Or a fatal error. */
ss_status ss_tls_feed(ss_tls *t, const void *bytes, size_t n);

/* The wire ended: what was fed is still read, then SS_E_CLOSED. */
void ss_tls_eof(ss_tls *t);

/* Goes on with the handshake. SS_OK: it is done, and the peer is proven as asked; SS_AGAIN: feed more; SS_E_FULL:
 * drain the output first; or a fatal error. The client's first call makes its first flight. */
ss_status ss_tls_handshake(ss_tls *t);

/* Appends what the peer sent to `to`, until there is no more or no room. SS_OK when it appended something, else
 * SS_AGAIN, SS_E_FULL (no room, or output to drain first), SS_E_STATE before the handshake is done, SS_E_CLOSED, or a
 * fatal error. What came before the end or the error is always delivered first. */
ss_status ss_tls_read(ss_tls *t, ss_buf *to);

/* Takes up to n bytes to be sent; *taken says how many, 0 unless SS_OK. SS_E_FULL: drain the output first; SS_E_STATE
 * before the handshake is done or after ss_tls_close_notify; or a fatal error. */
ss_status ss_tls_write(ss_tls *t, const void *bytes, size_t n, size_t *taken);

/* Says that we send no more (RFC 8446 section 6.1), where that can still be said; reading goes on. */
void ss_tls_close_notify(ss_tls *t);

/* Lends what to send, *n bytes, until the next call other than ss_tls_consumed; then how many of them went out. */
const uint8_t *ss_tls_output(const ss_tls *t, size_t *n);
void ss_tls_consumed(ss_tls *t, size_t n);

/* Whether the handshake is done. */
bool ss_tls_is_up(const ss_tls *t);

/* After SS_E_CLOSED: whether the peer ended with close_notify. Without it anyone may have cut the connection. */
bool ss_tls_closed_cleanly(const ss_tls *t);

/* The fatal error; its status is SS_OK while there is none. `reason` holds OpenSSL's name of the X.509 failure
 * ("certificate has expired"), or "no pin matches the server's key", or "peer does not speak TLS". */
const ss_error *ss_tls_error(const ss_tls *t);

/* What is known so far, also after a failure. Nobody is `authenticated` before the handshake is done. */
bool ss_tls_is_authenticated(const ss_tls *t); /* the handshake is done, and the peer proved who it is */
void ss_tls_facts_now(ss_tls *t, ss_tls_facts *facts); /* their `peer` lives until the next such call */

/* The channel binding of this type, NULL for the best that there is (tls/binding.h). False when there is none. */
bool ss_tls_binding(const ss_tls *t, const char *type, ss_binding *to);

/* Hands out the newest session that the peer offered and that was not taken yet: one reference, the caller's. NULL
 * when there is none, and always where the peer was not proven. TLS 1.3 sessions arrive with the first bytes that are
 * read. */
ss_tls_session *ss_tls_take_session(ss_tls *t);

#endif
