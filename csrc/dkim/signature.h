/* signature: the DKIM-Signature field itself (RFC 6376 section 3.5). */
#ifndef SS_DKIM_SIGNATURE_FIELD_H
#define SS_DKIM_SIGNATURE_FIELD_H

#include "dkim/canon.h"
#include "dkim/key.h"

/* What a signature is made of. */
typedef struct ss_dkim_work {
  const ss_dkim_key *key;
  const uint8_t *header; /* the header section */
  size_t header_n;
  const ss_dkim_name *names;
  size_t count;
  bool relaxed;     /* the header's canonical form */
  const char *tags; /* the field up to its tags h=, bh= and b=, line end included */
  size_t tags_n;
  const uint8_t *digest; /* of the body, SS_DKIM_DIGEST bytes */
} ss_dkim_work;

/* Appends the field, line end included, to `field`, which is empty; `canonical` is room to work in. SS_OK, SS_E_FULL,
 * SS_E_MEMORY or SS_E_INTERNAL, and *e. */
ss_status ss_dkim_signature(const ss_dkim_work *work, ss_buf *field, ss_buf *canonical, ss_error *e);

#endif
