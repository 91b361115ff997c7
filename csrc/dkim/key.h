/* key: a private key that signs for DKIM (RFC 6376 section 3.3, RFC 8301, RFC 8463), and the digest of what it signs.
 *
 * What stands in a key never gets into an error, and nobody is asked for a pass phrase. No copy of it is made here;
 * OpenSSL wipes a key's numbers when it is freed. */
#ifndef SS_DKIM_KEY_H
#define SS_DKIM_KEY_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Most bytes of a signature: an RSA key of 16384 bits, the largest that OpenSSL takes. */
enum { SS_DKIM_DIGEST = 32, SS_DKIM_SIGNATURE = 2048 };

typedef struct ss_dkim_key ss_dkim_key;

/* Reads a key, RSA or Ed25519, from PEM (PKCS#8 or PKCS#1). RSA keys of less than 2048 bits are refused unless
 * `short_allowed`, of less than 1024 always (RFC 8301 section 3.2). NULL and *e: SS_E_ARGUMENT or SS_E_MEMORY. The caller
 * frees it. */
ss_dkim_key *ss_dkim_key_read(const char *pem, size_t n, bool short_allowed, ss_error *e);

/* NULL is allowed. */
void ss_dkim_key_free(ss_dkim_key *key);

/* What a= says: "rsa-sha256" or "ed25519-sha256". */
const char *ss_dkim_key_algorithm(const ss_dkim_key *key);
int ss_dkim_key_bits(const ss_dkim_key *key);

/* Signs n bytes, of which the SHA-256 digest is what counts, and sets *length. SS_OK, or SS_E_INTERNAL and *e. */
ss_status ss_dkim_key_sign(const ss_dkim_key *key, const uint8_t *p, size_t n,
                           uint8_t signature[SS_DKIM_SIGNATURE], size_t *length, ss_error *e);

#endif
