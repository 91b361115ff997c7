/* hex: bytes as hexadecimal digits. */
#ifndef SS_HEX_H
#define SS_HEX_H

#include <stddef.h>

/* Writes the 2 * n digits of n bytes, in lower case, without an end. */
static inline void ss_hex(char *to, const unsigned char *from, size_t n)
{
  for (size_t i = 0; i < n; i++) {
    *to++ = "0123456789abcdef"[from[i] >> 4];
    *to++ = "0123456789abcdef"[from[i] & 15];
  }
}

#endif
