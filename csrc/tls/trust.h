/* trust: whose signatures count: the roots and revocation lists that a context verifies chains with.
 *
 * What the caller names is all that counts; only where nothing is named, the system's own store. The environment
 * (SSL_CERT_FILE, SSL_CERT_DIR) is not asked: it belongs to the host program, and to whoever starts it. */
#ifndef SS_TLS_TRUST_H
#define SS_TLS_TRUST_H

#include "base/status.h"

#include <openssl/x509_vfy.h>
#include <stdbool.h>

/* PEM files, or NULL. `ca_path` is a folder searched by hash (openssl rehash), each certificate when needed. */
typedef struct ss_tls_trust {
  const char *ca_file, *ca_path, *crl_file;
} ss_tls_trust;

/* Fills the store. With a `crl_file`, a chain without a current revocation list of each of its authorities is
 * refused. SS_OK, or SS_E_ARGUMENT with the file's name and OpenSSL's words. */
ss_status ss_tls_trust_load(X509_STORE *store, const ss_tls_trust *trust, ss_error *e);

/* As above with the system's store, of which nothing is read before a chain needs it where it is a hashed folder. A
 * system that has none is no error: it trusts nobody. */
ss_status ss_tls_trust_load_system(X509_STORE *store, const char *crl_file, ss_error *e);

#endif
