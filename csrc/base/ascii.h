/* ascii: letters and digits as protocols know them, whatever the host's locale says. */
#ifndef SS_ASCII_H
#define SS_ASCII_H

#include <stdbool.h>
#include <stddef.h>

static inline bool ss_ascii_digit(unsigned char c)
{
  return c >= '0' && c <= '9';
}

static inline bool ss_ascii_letter(unsigned char c)
{
  return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

/* Whether the n bytes at p are `word`, but for the case of letters. */
static inline bool ss_ascii_same(const char *p, size_t n, const char *word)
{
  size_t i = 0;
  for (; i < n && word[i]; i++) {
    unsigned char a = (unsigned char)p[i], b = (unsigned char)word[i];
    if (a != b && !(ss_ascii_letter(a) && (a ^ b) == 0x20)) return false;
  }
  return i == n && !word[i];
}

#endif
