/* word: see word.h. */
#include "mime/word.h"
#include "base/base64.h"
#include "base/utf8.h"
#include "mime/grapheme.h"

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

/* Characters of the text in Q. */
static size_t q_width(const uint8_t *p, size_t n)
{
  size_t width = 0;
  for (size_t i = 0; i < n; i++)
    width += is_plain(p[i]) ? 1 : 3;
  return width;
}

char ss_word_shorter(const uint8_t *p, size_t n)
{
  size_t q = 0;
  for (size_t i = 0, length; i < n; i += length) {
    length = ss_grapheme_length(p + i, n - i);
    size_t width = q_width(p + i, length);
    if (width > SS_WORD_LONGEST - SS_WORD_FRAME) return 'B';
    q += width;
  }
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

static char *q_encode(char *to, const uint8_t *p, size_t n)
{
  for (size_t i = 0; i < n; i++)
    to = q_octet(to, p[i]);
  return to;
}

static char *b_encode(char *to, const uint8_t *p, size_t n)
{
  return to + ss_base64_encode(to, p, n);
}

static size_t octets(const uint8_t *p, size_t n)
{
  (void)p;
  return n;
}

/* What a piece of text costs of a word, and what `limit` characters of a word have to spend. */
typedef struct coding {
  size_t (*cost)(const uint8_t *p, size_t n);
  size_t budget;
  char *(*encode)(char *to, const uint8_t *p, size_t n);
} coding;

static coding coding_of(char encoding, size_t limit)
{
  if (encoding == 'B') return (coding){octets, limit / 4 * 3, b_encode};
  return (coding){q_width, limit, q_encode};
}

static size_t character_length(const uint8_t *p, size_t n)
{
  size_t length = 1;
  while (length < n && length < SS_UTF8_LONGEST && goes_on(p[length]))
    length++;
  return length;
}

/* How many octets of the text, in whole units, a word can hold. */
static size_t fitting(const coding *c, const uint8_t *p, size_t n, size_t (*unit)(const uint8_t *p, size_t n))
{
  size_t taken = 0, spent = 0;
  while (taken < n) {
    size_t more = unit(p + taken, n - taken);
    spent += c->cost(p + taken, more);
    if (spent > c->budget) break;
    taken += more;
  }
  return taken;
}

bool ss_word_encode(ss_word *word, const uint8_t *p, size_t n, char encoding, size_t room, bool torn)
{
  const char open[] = {'=', '?', 'U', 'T', 'F', '-', '8', '?', encoding, '?'};
  coding c = coding_of(encoding, (room < SS_WORD_LONGEST ? room : SS_WORD_LONGEST) - SS_WORD_FRAME);
  word->takes = fitting(&c, p, n, ss_grapheme_length);
  if (!word->takes && torn) word->takes = fitting(&c, p, n, character_length);
  memcpy(word->text, open, sizeof open);
  char *to = c.encode(word->text + sizeof open, p, word->takes);
  *to++ = '?';
  *to++ = '=';
  word->length = (size_t)(to - word->text);
  return word->takes > 0;
}

/* What stands around the text: "=?", the charset, "?B?", and "?=". */
static size_t frame(const ss_charset *c)
{
  return c->name_n +
         sizeof "=?"
                "?B?"
                "?=" -
         1;
}

size_t ss_word_shortest_in(const ss_charset *c)
{
  return frame(c) + ss_base64_length(SS_CHARSET_WIDEST);
}

static size_t base64_width(const uint8_t *p, size_t n)
{
  (void)p;
  return ss_base64_length(n);
}

void ss_word_encode_in(ss_word *word, const ss_charset *c, const uint8_t *p, size_t n, size_t room)
{
  ss_charset_piece piece;
  size_t limit = (room < SS_WORD_LONGEST ? room : SS_WORD_LONGEST) - frame(c);
  ss_charset_take(c, p, n, base64_width, limit, &piece);
  char *to = word->text;
  memcpy(to, "=?", 2);
  memcpy(to + 2, c->name, c->name_n);
  to += 2 + c->name_n;
  memcpy(to, "?B?", 3);
  to += 3 + ss_base64_encode(to + 3, piece.bytes, piece.length);
  *to++ = '?';
  *to++ = '=';
  word->takes = piece.takes;
  word->length = (size_t)(to - word->text);
}
