/* printable: see printable.h. */
#include "base/printable.h"
#include "base/utf8.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Characters that a terminal or a reader does not show as themselves: C1 controls, zero-width and bidirectional
 * formatting (the "Trojan Source" set), line and paragraph separators, BOM, tags. */
static bool invisible(uint32_t c)
{
  static const struct {
    uint32_t from, to;
  } ranges[] = {{0x7F, 0x9F},     {0xAD, 0xAD},     {0x61C, 0x61C},    {0x180E, 0x180E},
                {0x200B, 0x200F}, {0x2028, 0x202E}, {0x2060, 0x206F},  {0xFEFF, 0xFEFF},
                {0xFFF9, 0xFFFB}, {0xFFFE, 0xFFFF}, {0xE0000, 0xE0FFF}};
  for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
    if (c >= ranges[i].from && c <= ranges[i].to) return true;
  return c < 0x20;
}

static bool is_plain(const uint8_t *p, size_t n)
{
  for (size_t i = 0; i < n; i++)
    if (p[i] < ' ' || p[i] > '~') return false;
  return true;
}

size_t ss_printable(char *to, size_t size, const void *from, size_t n)
{
  const uint8_t *p = from;
  size_t used = 0, cut = 0; /* cut: the last place where "..." would still fit */
  if (n < size && is_plain(p, n)) {
    memcpy(to, p, n); /* as nearly all is */
    to[n] = '\0';
    return n;
  }
  while (n) {
    char piece[20];
    uint32_t code = 0;
    size_t take = ss_utf8_decode(p, n, &code), length;
    if (*p == '\r' || *p == '\n' || *p == '\t') {
      take = length = 1;
      piece[0] = ' ';
    } else if (take && !invisible(code)) {
      length = take;
      memcpy(piece, p, take);
    } else {
      if (!take) take = 1;
      length = 0;
      for (size_t i = 0; i < take; i++)
        length += (size_t)snprintf(piece + length, sizeof piece - length, "\\x%02X", p[i]);
    }
    if (used + length > size - 1) {
      memcpy(to + cut, "...", 3);
      used = cut + 3;
      break;
    }
    memcpy(to + used, piece, length);
    used += length;
    if (used + 3 <= size - 1) cut = used;
    p += take;
    n -= take;
  }
  to[used] = '\0';
  return used;
}
