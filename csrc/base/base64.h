/* base64: RFC 4648 section 4, whole values at once (SASL challenges, encoded words, the last step of MIME's encoder).
 * Line breaking belongs to mime/, not here. */
#ifndef SS_BASE64_H
#define SS_BASE64_H

#include "base/buf.h"

/* Length of the encoding of n bytes, padding included. */
static inline size_t ss_base64_length(size_t n)
{
  return (n + 2) / 3 * 4;
}

/* Writes the encoding of n bytes to `to`, which has room for ss_base64_length(n). Returns that length. */
size_t ss_base64_encode(char *to, const uint8_t *from, size_t n);

/* Appends the encoding of n bytes: SS_OK, SS_E_FULL or SS_E_MEMORY. */
ss_status ss_base64_append(ss_buf *to, const uint8_t *from, size_t n);

/* Writes the decoding of n characters to `to`, which has room for n / 4 * 3 bytes, and sets *length. Strict: canonical
 * padding, no white space, no stray bits. False when the text is not base64; what is at `to` means nothing then. */
bool ss_base64_decode_to(uint8_t *to, const char *from, size_t n, size_t *length);

/* Appends the decoding to `to`, which must have room for n / 4 * 3 bytes. SS_OK, SS_E_ARGUMENT when the
 * text is not base64 (nothing is appended), SS_E_FULL or SS_E_MEMORY. */
ss_status ss_base64_decode(ss_buf *to, const char *from, size_t n);

#endif
