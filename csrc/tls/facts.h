/* facts: what can be said afterwards about how a mail travelled: the proof that goes into each receipt.
 *
 * Plain values in a struct of fixed size: nothing to free, nothing that fails. */
#ifndef SS_TLS_FACTS_H
#define SS_TLS_FACTS_H

#include "tls/certificate.h"

#include <stdbool.h>

struct ssl_st;

typedef struct ss_tls_facts {
  char version[16];          /* "TLSv1.3"; "" while nothing was agreed, and so for the next two */
  char cipher[64];           /* OpenSSL's name */
  char group[32];            /* of the key exchange: "x25519"; "" where there was none */
  const char *authenticated; /* "pkix", "pin" or NULL; static */
  const char *reason;        /* why not, where a certificate was judged; static, or NULL */
  bool resumed;
  const ss_tls_certificate *peer; /* the filter's; NULL where none was shown, or out of memory */
} ss_tls_facts;

/* Fills in what OpenSSL knows of the connection; `authenticated`, `reason` and `peer` are the filter's. */
void ss_tls_facts_read(const struct ssl_st *ssl, ss_tls_facts *facts);

#endif
