/* cms: what S/MIME puts around an entity (RFC 5652, RFC 8551), made from its bytes as they pass: a detached signature, which
 * costs no memory, or the entity encrypted, which is held until it is finished.
 *
 *   new → for each recipient ss_cms_add_recipient → for each piece ss_cms_update → ss_cms_finish → free
 *
 * The bytes are those that are sent: CRLF line ends, nothing mended here. An error ends it. */
#ifndef SS_SMIME_CMS_H
#define SS_SMIME_CMS_H

#include "smime/key.h"

#include <stddef.h>
#include <stdint.h>

typedef struct ss_cms ss_cms;

/* Most octets that are encrypted. */
enum { SS_CMS_HELD = 64 << 20 };

/* A signature by `own` with its key, that takes along all of `own` and of `chain`, which may be NULL. All three are
 * needed only during the call. NULL and *e on failure; where the key is to blame, *e is as in key.h. */
ss_cms *ss_cms_new_signature(const ss_certificates *own, const ss_certificates *chain,
                             const ss_smime_secret *secret, ss_error *e);

/* An encryption by the cipher of this name (OpenSSL's, "AES-256-CBC"): with an AEAD it is authEnvelopedData. NULL and *e
 * on failure. */
ss_cms *ss_cms_new_encryption(const char *cipher, ss_error *e);

/* Lets the owner of the certificate read it. */
ss_status ss_cms_add_recipient(ss_cms *cms, const ss_certificates *to, ss_error *e);

/* The name of the signature's hash, as micalg has it ("sha-256"); NULL for an encryption. */
const char *ss_cms_hash(const ss_cms *cms);

/* Takes the next bytes. SS_E_LIMIT where there are too many. */
ss_status ss_cms_update(ss_cms *cms, const void *p, size_t n, ss_error *e);

/* Lends the whole in DER, until the object is freed, which is all that may still be done with it. */
ss_status ss_cms_finish(ss_cms *cms, const uint8_t **der, size_t *n, ss_error *e);

/* NULL is fine. */
void ss_cms_free(ss_cms *cms);

#endif
