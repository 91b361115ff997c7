/* digest: the SHA-256 of a body's canonical form, as the bh= tag has it. */
#ifndef SS_DKIM_DIGEST_H
#define SS_DKIM_DIGEST_H

#include "dkim/canon.h"
#include "dkim/key.h"

/* All zero is one that does not run. */
typedef struct ss_dkim_hash {
  ss_dkim_body body;
  void *context; /* OpenSSL's; NULL when it does not run */
  bool failed;
} ss_dkim_hash;

/* Begins. SS_OK or SS_E_MEMORY. */
ss_status ss_dkim_hash_begin(ss_dkim_hash *h, bool relaxed);

/* Takes n more bytes of the body, while it runs. */
void ss_dkim_hash_update(ss_dkim_hash *h, const uint8_t *p, size_t n);

/* The body is over: writes the digest and gives everything back. SS_OK, or SS_E_INTERNAL where OpenSSL failed. */
ss_status ss_dkim_hash_finish(ss_dkim_hash *h, uint8_t digest[SS_DKIM_DIGEST]);

/* Gives everything back; again does nothing. */
void ss_dkim_hash_close(ss_dkim_hash *h);

#endif
