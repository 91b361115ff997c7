/* utf8: see utf8.h. */
#include "base/utf8.h"

#include <stdbool.h>
#include <string.h>

size_t ss_utf8_decode(const uint8_t *p, size_t n, uint32_t *code)
{
  static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  uint8_t first = p[0];
  size_t length = first < 0x80   ? 1
                  : first < 0xC2 ? 0
                  : first < 0xE0 ? 2
                  : first < 0xF0 ? 3
                  : first < 0xF5 ? 4
                                 : 0;
  if (length == 0 || length > n) return 0;
  uint32_t c = length == 1 ? first : first & (0x7FU >> length);
  for (size_t i = 1; i < length; i++) {
    if ((p[i] & 0xC0) != 0x80) return 0;
    c = c << 6 | (p[i] & 0x3FU);
  }
  if (c < least[length] || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF)) return 0;
  *code = c;
  return length;
}

/* Eight bytes below 0x80. */
static bool ascii(const uint8_t *p)
{
  uint64_t word;
  memcpy(&word, p, sizeof word);
  return (word & UINT64_C(0x8080808080808080)) == 0;
}

size_t ss_utf8_valid(const uint8_t *p, size_t n)
{
  size_t i = 0;
  while (i < n) {
    uint32_t code;
    if (n - i >= sizeof(uint64_t) && ascii(p + i)) {
      i += sizeof(uint64_t);
      continue;
    }
    size_t length = p[i] < 0x80 ? 1 : ss_utf8_decode(p + i, n - i, &code);
    if (length == 0) return i;
    i += length;
  }
  return n;
}
