/* crlf: line ends mended. CR, LF and CRLF each become CRLF, the only form that a message may have on the wire (RFC
 * 5321 section 2.3.8); everything else passes. A NUL is refused: no text has one, and readers disagree about what
 * follows it. */
#include "mime/codec.h"

#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

typedef struct ends {
  bool after_cr; /* the line was ended at the CR: a LF that comes now is the rest of that line end */
} ends;

_Static_assert(sizeof(ends) <= SS_CODEC_STATE, "");

static bool ends_line(uint8_t c)
{
  return c == '\r' || c == '\n';
}

/* Copies what comes before the next CR or LF, and returns where that is, or the end. There is as much room as there are
 * octets left. */
static const uint8_t *copy(uint8_t **to, const uint8_t *p, const uint8_t *end)
{
  uint8_t *out = *to;
#ifdef __SSE2__
  for (; end - p >= 16; p += 16, out += 16) {
    __m128i x = _mm_loadu_si128((const __m128i *)(const void *)p);
    __m128i both =
        _mm_or_si128(_mm_cmpeq_epi8(x, _mm_set1_epi8('\r')), _mm_cmpeq_epi8(x, _mm_set1_epi8('\n')));
    unsigned found = (unsigned)_mm_movemask_epi8(both);
    _mm_storeu_si128((__m128i *)(void *)out, x);
    if (found) {
      *to = out + __builtin_ctz(found);
      return p + __builtin_ctz(found);
    }
  }
#endif
  while (p < end && !ends_line(*p))
    *out++ = *p++;
  *to = out;
  return p;
}

static ss_status update(void *state, const uint8_t *p, size_t n, ss_buf *to)
{
  ends *e = state;
  uint8_t *room, *out;
  if (n == 0) return SS_OK;
  if (memchr(p, '\0', n)) return SS_E_ARGUMENT;
  ss_status status = ss_codec_room(to, 2 * n, &room);
  if (status != SS_OK) return status;
  out = room;
  const uint8_t *end = p + n;
  if (e->after_cr && *p == '\n') p++;
  e->after_cr = end[-1] == '\r';
  while ((p = copy(&out, p, end)) < end) {
    bool cr = *p++ == '\r';
    *out++ = '\r';
    *out++ = '\n';
    if (cr && p < end && *p == '\n') p++;
  }
  ss_buf_commit(to, (size_t)(out - room));
  return SS_OK;
}

static ss_status finish(void *state, ss_buf *to)
{
  (void)state;
  (void)to;
  return SS_OK;
}

const ss_codec ss_codec_crlf = {"crlf", sizeof(ends), update, finish};
