/* session: what a verified connection left behind so that the next one to the same peer costs less (RFC 8446 section
 * 2.2, RFC 5077).
 *
 * A resumed handshake shows no certificate, so a session carries the proof of the one it came from, and that proof
 * holds only for the same context (trust, revocations, our certificate) and the same peer (name, port, pins,
 * verification). A context's revocation lists do not change, so they are not looked at again before they expire. Whoever
 * keeps sessions decides for how long and how many; not this file. */
#ifndef SS_TLS_SESSION_H
#define SS_TLS_SESSION_H

#include "tls/context.h"

#include <stdbool.h>
#include <time.h>

struct ssl_st;
struct ss_tls_identity;
struct ss_tls_watch;

typedef struct ss_tls_session ss_tls_session;

ss_tls_session *ss_tls_session_ref(ss_tls_session *session);

/* Gives a reference back; the last one frees. NULL is allowed. */
void ss_tls_session_unref(ss_tls_session *session);

/* When the server will not know it any more, in seconds since 1970; 0 when it was spent. */
time_t ss_tls_session_ends(const ss_tls_session *session);

/* Whether it may be offered once only, as one of TLS 1.3: who knows it twice can tell two connections for one
 * client's (RFC 8446 appendix C.4). */
bool ss_tls_session_once(const ss_tls_session *session);

/* For the filter only, from here on: everyone else has sessions from ss_tls_take_session and gives them to
 * ss_tls_new.
 *
 * Takes the newest session out of `w`. NULL when there is none, when nothing proved the peer's identity, or when out of
 * memory. */
ss_tls_session *ss_tls_session_take(struct ss_tls_watch *w, ss_tls_context *context);

/* Makes `ssl`, which is to find `id` with `context`, offer the session. False, and nothing offered, when it came from
 * another context or peer, when a certificate of its chain or a revocation list has expired since, when its own
 * certificate does not fit the name or the pins, or when it was spent: a TLS 1.3 session is offered once (RFC 8446
 * appendix C.4). */
bool ss_tls_session_offer(ss_tls_session *session, struct ssl_st *ssl, const ss_tls_context *context,
                          const struct ss_tls_identity *id);

/* Gives the proof that the session came with to a connection that resumed it. */
void ss_tls_session_prove(const ss_tls_session *session, struct ss_tls_watch *w);

#endif
