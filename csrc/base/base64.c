/* base64: see base64.h. */
#include "base/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t ss_base64_encode(char *to, const uint8_t *from, size_t n)
{
  char *p = to;
  for (; n >= 3; n -= 3, from += 3) {
    uint32_t v = (uint32_t)from[0] << 16 | (uint32_t)from[1] << 8 | from[2];
    *p++ = alphabet[v >> 18];
    *p++ = alphabet[v >> 12 & 63];
    *p++ = alphabet[v >> 6 & 63];
    *p++ = alphabet[v & 63];
  }
  if (n) {
    uint32_t v = (uint32_t)from[0] << 16 | (n == 2 ? (uint32_t)from[1] << 8 : 0);
    *p++ = alphabet[v >> 18];
    *p++ = alphabet[v >> 12 & 63];
    *p++ = n == 2 ? alphabet[v >> 6 & 63] : '=';
    *p++ = '=';
  }
  return (size_t)(p - to);
}

static int value(char c)
{
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  return c == '+' ? 62 : c == '/' ? 63 : -1;
}

ss_status ss_base64_decode(ss_buf *to, const char *from, size_t n)
{
  if (n == 0) return SS_OK;
  if (n % 4) return SS_E_ARGUMENT;
  size_t pad = from[n - 1] != '=' ? 0 : from[n - 2] != '=' ? 1 : 2;
  size_t length = n / 4 * 3 - pad;
  if (length > ss_buf_room(to)) return SS_E_FULL;
  uint8_t *out = ss_buf_reserve(to, n / 4 * 3);
  if (!out) return ss_buf_room(to) < n / 4 * 3 ? SS_E_FULL : SS_E_MEMORY;
  for (size_t i = 0; i < n; i += 4) {
    uint32_t v = 0;
    for (size_t j = 0; j < 4; j++) {
      bool padding = i + j >= n - pad;
      int six = padding ? 0 : value(from[i + j]);
      if (six < 0) return SS_E_ARGUMENT;
      v = v << 6 | (uint32_t)six;
    }
    *out++ = (uint8_t)(v >> 16);
    *out++ = (uint8_t)(v >> 8);
    *out++ = (uint8_t)v;
    /* RFC 4648 section 3.5: bits that no byte uses must be zero, or two texts would mean the same. */
    if (i + 4 == n && pad && (v & (pad == 1 ? 0xffU : 0xffffU))) return SS_E_ARGUMENT;
  }
  ss_buf_commit(to, length);
  return SS_OK;
}
