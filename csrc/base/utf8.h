/* utf8: one strict decoder (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF. */
#ifndef SS_UTF8_H
#define SS_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Most bytes in a character. */
enum { SS_UTF8_LONGEST = 4 };

/* Decodes the character at p, of which n > 0 bytes are there. Returns its length, 1 to 4, and sets *code; 0 when
 * these bytes do not begin a character. */
size_t ss_utf8_decode(const uint8_t *p, size_t n, uint32_t *code);

/* The offset of the first byte that is not valid UTF-8, or n when all are. */
size_t ss_utf8_valid(const uint8_t *p, size_t n);

#endif
