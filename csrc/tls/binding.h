/* binding: the channel bindings that a TLS connection has (RFC 5929, RFC 9266). */
#ifndef SS_TLS_BINDING_H
#define SS_TLS_BINDING_H

#include "base/binding.h"

#include <openssl/ssl.h>
#include <stdbool.h>

/* Fills *to with the binding of this type, or, where `type` is NULL, of the first that this connection can have:
 *   tls-exporter          TLS 1.3 (RFC 9266)
 *   tls-unique            TLS 1.2 with extended master secret; without it two connections may share one (RFC 7627)
 *   tls-server-end-point  any: the hash of the server's certificate
 * False when there is none, or no such type. */
bool ss_tls_binding_of(SSL *ssl, const char *type, ss_binding *to);

#endif
