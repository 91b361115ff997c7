/* context: everything about TLS that many connections share: trust, protocol versions, ciphers, our own certificate.
 *
 * Built once, kept as long as anyone refers to it, never changed: what a caller may ask for is a field here, and what
 * is not a field cannot be weakened. Settings of the host's openssl.cnf that would change the protocol are
 * overridden. Who the peer must be is told per connection (peer.h). One thread at a time, as the Lua state that owns
 * it. */
#ifndef SS_TLS_CONTEXT_H
#define SS_TLS_CONTEXT_H

#include "base/status.h"

#include <stdbool.h>

struct ssl_ctx_st;
struct bio_method_st;

typedef enum ss_tls_role { SS_TLS_CLIENT, SS_TLS_SERVER } ss_tls_role;

/* All strings may be NULL, are only read during ss_tls_context_new, and stay the caller's. Files are PEM. */
typedef struct ss_tls_settings {
  ss_tls_role role;

  /* The only roots trusted; where neither is given, a client trusts the system's. A server that has one of them
   * demands a client certificate. */
  const char *ca_file, *ca_path;
  const char *crl_file; /* revocation lists, one of every authority that may occur in a chain */
  bool require_ocsp;    /* a client demands a stapled OCSP response that says that the certificate is good */

  const char *cert;         /* our certificate, then its intermediates; a server must have one */
  const char *key;          /* its key; NULL: in the same file */
  const char *key_password; /* of an encrypted key */

  const char *min_version;  /* "TLSv1.2" (the default) or "TLSv1.3" */
  const char *max_version;  /* the same names; default: the highest that OpenSSL has */
  const char *ciphers;      /* of TLS 1.2, an OpenSSL list; default: ECDHE with an AEAD */
  const char *ciphersuites; /* of TLS 1.3 */
  const char *groups;       /* of the key exchange; default: OpenSSL's */
} ss_tls_settings;

typedef struct ss_tls_context ss_tls_context;

/* A context with one reference, or NULL and *e in one line: SS_E_ARGUMENT names the setting or file and says what is
 * wrong with it; SS_E_MEMORY. */
ss_tls_context *ss_tls_context_new(const ss_tls_settings *settings, ss_error *e);
ss_tls_context *ss_tls_context_ref(ss_tls_context *context);

/* Gives a reference back; the last one frees. NULL is allowed. */
void ss_tls_context_unref(ss_tls_context *context);

ss_tls_role ss_tls_context_role(const ss_tls_context *context);

/* For the filter only: OpenSSL's context and the BIO method of its connections; owned by the context. */
struct ssl_ctx_st *ss_tls_context_ssl(const ss_tls_context *context);
const struct bio_method_st *ss_tls_context_wire(const ss_tls_context *context);

#endif
