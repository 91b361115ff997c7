/* word: see word.h. */
#include "mime/word.h"
#include "base/base64.h"
#include "base/utf8.h"

#include <string.h>

static bool is_plain(uint8_t c)
{
  return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == ' ' || c == '-' ||
         c == '!' || c == '*' || c == '+' || c == '/';
}

static bool goes_on(uint8_t c)
{
  return (c & 0xC0) == 0x80;
}

bool ss_word_needed(const uint8_t *p, size_t n)
{
  for (size_t i = 0; i < n; i++)
    if (p[i] >= 0x80 || (p[i] == '=' && i + 1 < n && p[i + 1] == '?')) return true;
  return false;
}

char ss_word_shorter(const uint8_t *p, size_t n)
{
  size_t q = 0;
  for (size_t i = 0; i < n; i++)
    q += is_plain(p[i]) ? 1 : 3;
  return ss_base64_length(n) < q ? 'B' : 'Q';
}

static char *q_octet(char *to, uint8_t c)
{
  static const char hex[] = "0123456789ABCDEF";
  if (is_plain(c)) {
    *to++ = c == ' ' ? '_' : (char)c;
  } else {
    *to++ = '=';
    *to++ = hex[c >> 4];
    *to++ = hex[c & 15];
  }
  return to;
}

/* Each takes what fits into `limit` characters and returns how many bytes of the text that is, at least one. */

static size_t take_q(char **to, const uint8_t *p, size_t n, size_t limit)
{
  const char *full = *to + limit;
  size_t taken = 0;
  while (taken < n) {
    size_t end = taken + 1, width = is_plain(p[taken]) ? 1 : 3;
    for (; end < n && end - taken < SS_UTF8_LONGEST && goes_on(p[end]); end++)
      width += 3;
    if (width > (size_t)(full - *to)) break;
    while (taken < end)
      *to = q_octet(*to, p[taken++]);
  }
  return taken;
}

static size_t take_b(char **to, const uint8_t *p, size_t n, size_t limit)
{
  size_t taken = limit / 4 * 3;
  if (taken > n) taken = n;
  for (size_t back = 1; back < SS_UTF8_LONGEST && taken < n && goes_on(p[taken]); back++)
    taken--;
  *to += ss_base64_encode(*to, p, taken);
  return taken;
}

void ss_word_encode(ss_word *word, const uint8_t *p, size_t n, char encoding, size_t room)
{
  const char open[] = {'=', '?', 'U', 'T', 'F', '-', '8', '?', encoding, '?'};
  size_t limit = (room < SS_WORD_LONGEST ? room : SS_WORD_LONGEST) - SS_WORD_FRAME;
  char *to = word->text;
  memcpy(to, open, sizeof open);
  to += sizeof open;
  word->takes = (encoding == 'B' ? take_b : take_q)(&to, p, n, limit);
  *to++ = '?';
  *to++ = '=';
  word->length = (size_t)(to - word->text);
}
