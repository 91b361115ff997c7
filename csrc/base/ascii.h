/* ascii: letters, digits and numbers as protocols know them, whatever the host's locale says. */
#ifndef SS_ASCII_H
#define SS_ASCII_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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

enum { SS_ASCII_NUMBER = sizeof "18446744073709551615" - 1 };

/* Writes n in decimal, at most SS_ASCII_NUMBER digits and no NUL. Returns how many. */
static inline size_t ss_ascii_number(char *to, uint64_t n)
{
  size_t length = 1;
  for (uint64_t rest = n; rest >= 10; rest /= 10)
    length++;
  for (size_t i = length; i-- > 0; n /= 10)
    to[i] = (char)('0' + n % 10);
  return length;
}

#endif
