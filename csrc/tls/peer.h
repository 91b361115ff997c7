/* peer: who must be at the other end of a TLS connection, as the caller says it. */
#ifndef SS_TLS_PEER_H
#define SS_TLS_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SS_TLS_PIN_SIZE = 32, SS_TLS_PINS_MAX = 64 };

/* What proves the peer's identity. */
typedef enum ss_tls_verify {
  SS_TLS_PKIX, /* a chain to a trusted root, with the peer's name; where pins are given, a pin as well */
  SS_TLS_PIN   /* a pin alone: the certificate may be self-signed, expired or for another name */
} ss_tls_verify;

typedef struct ss_tls_peer {
  /* Host name (A-labels) or IP address without brackets. NULL or "" only where no name is verified: SS_TLS_PIN, or
   * optional. */
  const char *name;

  /* What else tells this server's sessions from another's: compared, never read. May be NULL. */
  const char *port;

  ss_tls_verify verify;
  bool optional;       /* go on without proof: the facts say that there is none, and why */
  const uint8_t *pins; /* pin_count times SS_TLS_PIN_SIZE bytes: SHA-256 of a leaf's SubjectPublicKeyInfo */
  size_t pin_count;    /* at most SS_TLS_PINS_MAX */
} ss_tls_peer;

#endif
