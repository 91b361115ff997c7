/* watch: what OpenSSL tells about a connection while its handshake runs, and our judgement of it.
 *
 * The peer's chain is judged here, inside the handshake, so that no application byte is ever sent to a peer that has
 * not proven itself; the sessions it offers for resumption are caught here. Nothing here talks to the wire. */
#ifndef SS_TLS_WATCH_H
#define SS_TLS_WATCH_H

#include "tls/certificate.h"
#include "tls/identity.h"

#include <openssl/ssl.h>

/* A TLS 1.3 server sends two tickets as a rule, each good for one connection. */
enum { SS_TLS_SESSIONS_KEPT = 4 };

/* The application data of each SSL. Zeroed at birth. */
typedef struct ss_tls_watch {
  /* Whom to expect; NULL at a server, which takes any client certificate that it trusts. */
  ss_tls_identity *identity;

  /* What proved it, "pkix" or "pin", or NULL; and why nothing did, once a certificate was judged. Static. */
  const char *proof;
  const char *reason;

  /* What stands in the peer's certificate, where somebody asked or a resumed session brought it. */
  ss_tls_certificate *certificate;

  X509 *shown; /* the peer's own certificate, once judged, well or ill */
  ASN1_TIME
  *valid_until; /* when the first part of a "pkix" proof ends, and the connection's sessions with it */

  /* The last sessions that the peer offered, the newest last. */
  SSL_SESSION *sessions[SS_TLS_SESSIONS_KEPT];
  size_t session_count;
} ss_tls_watch;

/* Makes every SSL of the context report to its watch; and, where `staple` says so, demand a good OCSP response. */
void ss_tls_watch_install(SSL_CTX *ctx, bool staple);

/* Frees what the watch holds, its reference to the identity included. */
void ss_tls_watch_clear(ss_tls_watch *w);

#endif
