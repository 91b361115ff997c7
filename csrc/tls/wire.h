/* wire: the network as OpenSSL sees it: a BIO over two bounded buffers.
 *
 * What came from the peer waits in `in`, what must go to it in `out`. Nothing is read or sent here. OpenSSL's own
 * memory BIO has no bound and copies once more to consume. */
#ifndef SS_TLS_WIRE_H
#define SS_TLS_WIRE_H

#include "base/buf.h"

#include <openssl/bio.h>

typedef struct ss_tls_wire {
  ss_buf in, out;
  bool ended;   /* the peer sends no more */
  bool starved; /* out of memory while writing */
} ss_tls_wire;

/* The method of such BIOs, or NULL when out of memory. BIO_meth_free frees it, after its last BIO. */
BIO_METHOD *ss_tls_wire_method(void);

/* A BIO that reads from and writes to `w`, which must outlive it; or NULL when out of memory. */
BIO *ss_tls_wire_bio(const BIO_METHOD *method, ss_tls_wire *w);

#endif
