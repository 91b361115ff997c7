/* scan: see scan.h. */
#include "mime/scan.h"

#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

static const char from[] = "From ";
enum { FROM_LENGTH = sizeof from - 1 };

static bool is_blank(uint8_t c)
{
  return c == ' ' || c == '\t';
}

static void line_end(ss_scan *s)
{
  if (is_blank(s->last)) s->marred = true;
  if (s->line > s->longest) s->longest = s->line;
  s->canonical += 2;
  s->line = 0;
  s->from = 0;
}

static void content(ss_scan *s, uint8_t c)
{
  if (s->line == s->from && s->from < FROM_LENGTH && c == (uint8_t)from[s->from]) s->from++;
  if (s->from == FROM_LENGTH) s->marred = true;
  s->canonical++;
  s->line++;
  if (c >= 0x80) s->eight_bit = true;
  if (c == 0) s->nul = true;
  if ((c < ' ' && c != '\t') || c >= 0x7F || c == '=') s->escapes++;
}

static void step(ss_scan *s, uint8_t c)
{
  if (c == '\r' || (c == '\n' && s->last != '\r'))
    line_end(s);
  else if (c != '\n')
    content(s, c);
  s->last = c;
}

/* An octet is ordinary when no more is to be learnt from it than that it is there, and whether its eighth bit is set:
 * when it is neither "=" nor a control. Each `look` looks at BLOCK octets, returns the set of those that are not ordinary,
 * and sets *high to that of those with their eighth bit set. */
#ifdef __SSE2__

enum { BLOCK = 16 };

static unsigned look(const uint8_t *p, unsigned *high)
{
  __m128i x = _mm_loadu_si128((const __m128i *)(const void *)p);
  __m128i other = _mm_or_si128(_mm_cmpeq_epi8(x, _mm_set1_epi8('=')), _mm_cmpeq_epi8(x, _mm_set1_epi8(0x7F)));
  __m128i below = _mm_cmplt_epi8(x, _mm_set1_epi8(' ')); /* those above 127 too: they are negative here */
  *high = (unsigned)_mm_movemask_epi8(x);
  return (unsigned)_mm_movemask_epi8(_mm_or_si128(other, below)) & ~*high;
}

#else

enum { BLOCK = sizeof(uint64_t) };

/* The octet in every place of a word. */
#define EACH(octet) (UINT64_C(0x0101010101010101) * (octet))

static unsigned look(const uint8_t *p, unsigned *high)
{
  uint64_t w;
  memcpy(&w, p, sizeof w);
  uint64_t equals = w ^ EACH('='), delete = w ^ EACH(0x7F);
  uint64_t found = w | (w - EACH(' ')) | ((equals - EACH(1)) & ~equals) | ((delete - EACH(1)) & ~delete);
  unsigned special = 0;
  *high = 0;
  if (!(found & EACH(0x80))) return 0;
  for (unsigned i = 0; i < BLOCK; i++) {
    if (p[i] >= 0x80)
      *high |= 1U << i;
    else if (p[i] < ' ' || p[i] == 0x7F || p[i] == '=')
      special |= 1U << i;
  }
  return special;
}

#endif

/* Takes n ordinary octets. */
static void ordinary(ss_scan *s, const uint8_t *p, size_t n)
{
  if (n == 0) return;
  s->canonical += n;
  s->line += n;
  s->last = p[n - 1];
}

static void eighth_bits(ss_scan *s, unsigned high)
{
  if (!high) return;
  s->eight_bit = true;
  s->escapes += (uint64_t)__builtin_popcount(high);
}

/* Looks at ordinary octets and the line feeds among them, as long as whole blocks are left and no "From " begins or goes
 * on. Returns how many that were. */
static size_t run(ss_scan *s, const uint8_t *p, size_t n)
{
  size_t seen = 0, i = 0;
  if (s->line == s->from && n && p[0] == (uint8_t)from[s->from]) return 0;
  for (unsigned high; n - i >= BLOCK; i += BLOCK) {
    for (unsigned special = look(p + i, &high); special; special &= special - 1) {
      size_t at = i + (size_t)__builtin_ctz(special);
      ordinary(s, p + seen, at - seen);
      seen = at;
      if (p[at] == '\n' && s->last != '\r') {
        line_end(s);
        s->last = p[seen++];
        if (seen < n && p[seen] != (uint8_t)from[0]) continue;
      }
      eighth_bits(s, high & ((1U << (at - i)) - 1));
      return seen;
    }
    eighth_bits(s, high);
  }
  ordinary(s, p + seen, i - seen);
  return i;
}

void ss_scan_update(ss_scan *state, const uint8_t *p, size_t n)
{
  ss_scan s = *state; /* a copy of its own, which no octet that is read can be part of */
  s.size += n;
  for (size_t i = 0; i < n;) {
    i += run(&s, p + i, n - i);
    if (i < n) step(&s, p[i++]);
  }
  if (s.line > s.longest) s.longest = s.line;
  s.open = s.line > 0;
  *state = s;
}

bool ss_scan_fragile(const ss_scan *s)
{
  return s->marred || is_blank(s->last);
}
