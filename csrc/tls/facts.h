/* facts: what can be said afterwards about how a mail travelled: the proof that goes into each receipt.
 *
 * Plain values in a struct of fixed size: nothing to free, nothing that fails. Everything a peer chose is escaped. */
#ifndef SS_TLS_FACTS_H
#define SS_TLS_FACTS_H

#include <stdbool.h>
#include <stddef.h>

struct ssl_st;
struct x509_st;

enum { SS_TLS_NAMES_SIZE = 4096 };

typedef struct ss_tls_facts {
  char version[16];          /* "TLSv1.3"; "" while nothing was agreed, and so for the next two */
  char cipher[64];           /* OpenSSL's name */
  char group[32];            /* of the key exchange: "x25519"; "" where there was none */
  const char *authenticated; /* "pkix", "pin" or NULL; static */
  const char *reason;        /* why not, where a certificate was judged; static, or NULL */
  bool resumed;
  bool has_peer;                 /* a certificate was shown: */
  char subject[256];             /* RFC 2253, UTF-8 */
  char expires[24];              /* "2030-01-31T12:00:00Z" */
  char sha256[65];               /* of the certificate, hex */
  char pin[48];                  /* of its key, base64, as `pins` takes it */
  char names[SS_TLS_NAMES_SIZE]; /* dNSName and iPAddress, one after another, each ended by a NUL */
  size_t name_count;             /* those that fit */
} ss_tls_facts;

/* Fills in what OpenSSL knows of the connection, and what stands in the peer's certificate (NULL: it showed none).
 * `authenticated` and `reason` are the filter's. */
void ss_tls_facts_read(const struct ssl_st *ssl, struct x509_st *certificate, ss_tls_facts *facts);

#endif
