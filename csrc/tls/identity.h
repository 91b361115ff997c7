/* identity: a checked copy of an ss_tls_peer, and whether a certificate fits it.
 *
 * A connection and the sessions won from it share one. Names follow RFC 9525: subjectAltName only, one whole
 * left-most label as wildcard, an address matches an iPAddress and nothing else. Chains, dates and trust are
 * OpenSSL's part and are judged in watch.c. */
#ifndef SS_TLS_IDENTITY_H
#define SS_TLS_IDENTITY_H

#include "base/status.h"
#include "tls/peer.h"

#include <openssl/ssl.h>

typedef struct ss_tls_identity {
  size_t references;
  ss_tls_verify verify;
  bool optional;
  bool address;     /* name is an IP address */
  const char *name; /* lower case, no final dot; "" when nobody was named */
  const char *port; /* "" when the peer had none */
  const uint8_t *pins;
  size_t pin_count;
} ss_tls_identity;

/* A copy with one reference, or NULL and *e: SS_E_ARGUMENT for a peer that makes no sense, SS_E_MEMORY. */
ss_tls_identity *ss_tls_identity_new(const ss_tls_peer *peer, ss_error *e);
ss_tls_identity *ss_tls_identity_ref(ss_tls_identity *id);

/* Gives a reference back; the last one frees. NULL is allowed. */
void ss_tls_identity_unref(ss_tls_identity *id);

/* The same peer, to be proven in the same way. */
bool ss_tls_identity_equal(const ss_tls_identity *a, const ss_tls_identity *b);

/* Makes `ssl` ask for this name (SNI) and check it during the handshake. False when out of memory. */
bool ss_tls_identity_apply(const ss_tls_identity *id, SSL *ssl);

/* Whether the certificate bears the name, and whether its key is one of the pins. */
bool ss_tls_identity_named(const ss_tls_identity *id, X509 *certificate);
bool ss_tls_identity_pinned(const ss_tls_identity *id, X509 *certificate);

/* The pin of a certificate: SHA-256 of its SubjectPublicKeyInfo. False when it cannot be had. */
bool ss_tls_pin_of(X509 *certificate, uint8_t pin[SS_TLS_PIN_SIZE]);

#endif
