/* body: the canonical form of a body, see canon.h. */
#include "dkim/canon.h"

#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* Characters in a line of base64, its end not counted (RFC 2045 section 6.8). */
enum { BASE64 = 76 };

static bool is_blank(uint8_t c)
{
  return c == ' ' || c == '\t';
}

/* Whether a byte goes out as it is, whatever stands around it. */
static bool is_plain(const ss_dkim_body *b, uint8_t c)
{
  return c != '\r' && !(b->relaxed && is_blank(c));
}

#ifdef __SSE2__
static __m128i load(const uint8_t *p)
{
  return _mm_loadu_si128((const __m128i *)(const void *)p);
}

static __m128i is_byte(__m128i x, char c)
{
  return _mm_cmpeq_epi8(x, _mm_set1_epi8(c));
}

/* Which of 16 bytes are a CR, a tab, or a space before a blank or a CR; the byte behind them is looked at too. */
static unsigned find_specials(const uint8_t *p)
{
  __m128i x = load(p), next = load(p + 1);
  __m128i ends = _mm_or_si128(is_byte(next, '\r'), _mm_or_si128(is_byte(next, ' '), is_byte(next, '\t')));
  __m128i blanks = _mm_or_si128(is_byte(x, '\t'), _mm_and_si128(is_byte(x, ' '), ends));
  return (unsigned)_mm_movemask_epi8(_mm_or_si128(is_byte(x, '\r'), blanks));
}

/* Whether a line of base64 is here, with its end, and something plain behind it. */
static bool is_base64(const uint8_t *p)
{
  __m128i least = _mm_min_epu8(_mm_min_epu8(load(p), load(p + 16)), _mm_min_epu8(load(p + 32), load(p + 48)));
  least = _mm_min_epu8(least, load(p + BASE64 - 16));
  __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(least, _mm_set1_epi8(' ')), least);
  return p[BASE64] == '\r' && p[BASE64 + 1] == '\n' && p[BASE64 + 2] > ' ' && _mm_movemask_epi8(low) == 0;
}
#endif

/* Behind the lines of base64 that are here: most of what is long is such lines, and all of them look alike. */
static const uint8_t *skip_base64(const uint8_t *p, const uint8_t *end)
{
#ifdef __SSE2__
  while (end - p > BASE64 + 2 && is_base64(p))
    p += BASE64 + 2;
#else
  (void)end;
#endif
  return p;
}

/* The next byte that is not plain, or the end. A space between plain bytes may be passed over. */
static const uint8_t *find_special(const ss_dkim_body *b, const uint8_t *p, const uint8_t *end)
{
  if (!b->relaxed) {
    const uint8_t *cr = memchr(p, '\r', (size_t)(end - p));
    return cr ? cr : end;
  }
#ifdef __SSE2__
  for (; end - p > 16; p += 16) {
    unsigned found = find_specials(p);
    if (found) return p + __builtin_ctz(found);
  }
#endif
  while (p < end && is_plain(b, *p))
    p++;
  return p;
}

/* The end of what is its own canonical form, where nothing is held back: a single space, or a line end, is so if a plain
 * byte follows. */
static const uint8_t *skip_canonical(const ss_dkim_body *b, const uint8_t *p, const uint8_t *end)
{
  for (;;) {
    const uint8_t *at = p < end ? find_special(b, p, end) : end;
    if (end - at >= 2 && at[0] == ' ' && is_plain(b, at[1]))
      p = at + 2;
    else if (end - at >= 3 && at[0] == '\r' && at[1] == '\n' && is_plain(b, at[2]))
      p = skip_base64(at + 2, end);
    else
      return at;
  }
}

static void put_breaks(uint64_t breaks, ss_dkim_sink sink, void *to)
{
  static const uint8_t some[] = "\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n";
  enum { SOME = sizeof some / 2 };
  for (; breaks > SOME; breaks -= SOME)
    sink(to, some, (size_t)SOME * 2);
  sink(to, some, (size_t)breaks * 2);
}

/* Hands on what was held back, because something follows it in its line. */
static void release(ss_dkim_body *b, ss_dkim_sink sink, void *to)
{
  if (b->breaks) put_breaks(b->breaks, sink, to);
  if (b->blank) sink(to, (const uint8_t *)" ", 1);
  b->breaks = 0;
  b->blank = false;
  b->any = true;
}

static void put_byte(ss_dkim_body *b, uint8_t c, ss_dkim_sink sink, void *to)
{
  release(b, sink, to);
  sink(to, &c, 1);
}

static void step(ss_dkim_body *b, uint8_t c, ss_dkim_sink sink, void *to)
{
  if (b->cr && c == '\n') {
    b->cr = b->blank = false;
    b->breaks++;
    return;
  }
  if (b->cr) put_byte(b, '\r', sink, to); /* no line end, then */
  b->cr = c == '\r';
  if (b->cr) return;
  if (b->relaxed && is_blank(c))
    b->blank = true;
  else
    put_byte(b, c, sink, to);
}

void ss_dkim_body_update(ss_dkim_body *b, const uint8_t *p, size_t n, ss_dkim_sink sink, void *to)
{
  const uint8_t *end = p + n;
  while (p < end) {
    bool held = b->cr || b->blank || b->breaks;
    const uint8_t *next = held ? p : skip_canonical(b, p, end);
    if (next > p) {
      b->any = true;
      sink(to, p, (size_t)(next - p));
      p = next;
    } else {
      step(b, *p++, sink, to);
    }
  }
}

void ss_dkim_body_finish(ss_dkim_body *b, ss_dkim_sink sink, void *to)
{
  if (b->cr) put_byte(b, '\r', sink, to);
  b->cr = b->blank = false;
  b->breaks = 0;
  /* An empty body is CRLF in the simple form (section 3.4.3), and nothing in the relaxed one (section 3.4.4). */
  if (b->any || !b->relaxed) put_breaks(1, sink, to);
}
