/* certificate: what a receipt says of the certificate that a peer showed.
 *
 * A resumed handshake shows none, and what stood in it is the same as before: it is read once, and shared by the
 * connection that was shown it, the sessions won from that one, and the connections that resume them. Everything a
 * peer chose is escaped. */
#ifndef SS_TLS_CERTIFICATE_H
#define SS_TLS_CERTIFICATE_H

#include <stddef.h>

struct x509_st;

enum { SS_TLS_NAMES_SIZE = 4096 };

typedef struct ss_tls_certificate {
  size_t references;
  struct x509_st *x509;          /* what was read; a reference */
  char subject[256];             /* RFC 2253, UTF-8 */
  char expires[24];              /* "2030-01-31T12:00:00Z" */
  char sha256[65];               /* of the certificate, hex */
  char pin[48];                  /* of its key, base64, as `pins` takes it */
  char names[SS_TLS_NAMES_SIZE]; /* dNSName and iPAddress, one after another, each ended by a NUL */
  size_t name_count;             /* those that fit */
} ss_tls_certificate;

/* Reads one; what cannot be read stays empty. One reference, or NULL when out of memory. */
ss_tls_certificate *ss_tls_certificate_new(struct x509_st *x509);

/* Takes a reference, or gives one back; the last one frees. NULL is allowed. */
ss_tls_certificate *ss_tls_certificate_ref(ss_tls_certificate *certificate);
void ss_tls_certificate_unref(ss_tls_certificate *certificate);

#endif
