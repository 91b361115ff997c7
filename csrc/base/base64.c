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

ss_status ss_base64_append(ss_buf *to, const uint8_t *from, size_t n)
{
  size_t length = ss_base64_length(n);
  uint8_t *out = ss_buf_reserve(to, length);
  if (!out) return ss_buf_room(to) < length ? SS_E_FULL : SS_E_MEMORY;
  ss_buf_commit(to, ss_base64_encode((char *)out, from, n));
  return SS_OK;
}

static int value(char c)
{
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static size_t padding(const char *from, size_t n)
{
  return n == 0 || from[n - 1] != '=' ? 0 : from[n - 2] != '=' ? 1 : 2;
}

bool ss_base64_decode_to(uint8_t *to, const char *from, size_t n, size_t *length)
{
  if (n % 4) return false;
  size_t pad = padding(from, n);
  for (size_t i = 0; i < n; i += 4) {
    uint32_t v = 0;
    for (size_t j = 0; j < 4; j++) {
      int six = i + j >= n - pad ? 0 : value(from[i + j]);
      if (six < 0) return false;
      v = v << 6 | (uint32_t)six;
    }
    *to++ = (uint8_t)(v >> 16);
    *to++ = (uint8_t)(v >> 8);
    *to++ = (uint8_t)v;
    /* RFC 4648 section 3.5: bits that no byte uses must be zero, or two texts would mean the same. */
    if (i + 4 == n && pad && (v & (pad == 1 ? 0xffU : 0xffffU))) return false;
  }
  *length = n / 4 * 3 - pad;
  return true;
}

ss_status ss_base64_decode(ss_buf *to, const char *from, size_t n)
{
  size_t length, room = n / 4 * 3;
  if (n == 0) return SS_OK;
  if (n % 4) return SS_E_ARGUMENT;
  if (room > ss_buf_room(to)) return SS_E_FULL;
  uint8_t *out = ss_buf_reserve(to, room);
  if (!out) return SS_E_MEMORY;
  if (!ss_base64_decode_to(out, from, n, &length)) return SS_E_ARGUMENT;
  ss_buf_commit(to, length);
  return SS_OK;
}
