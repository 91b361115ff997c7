/* staple: the OCSP response that a server sends with its certificate (RFC 6066 section 8, RFC 6960).
 *
 * It is judged after the chain, in the same handshake. Nobody is asked over the network. */
#ifndef SS_TLS_STAPLE_H
#define SS_TLS_STAPLE_H

#include <openssl/ssl.h>

/* NULL when the response on `ssl` says that the certificate just verified is good; *next_update, the caller's to
 * free, is then when that must be asked anew. Else why it does not, a static string. */
const char *ss_tls_staple_judge(SSL *ssl, ASN1_TIME **next_update);

#endif
