/* crlf: line ends mended. CR, LF and CRLF each become CRLF, the only form that a message may have on the wire (RFC
 * 5321 section 2.3.8); everything else passes. A NUL is refused: no text has one, and readers disagree about what
 * follows it. */
#include "mime/codec.h"

#include <string.h>

typedef struct ends {
  bool after_cr; /* the line was ended at the CR: a LF that comes now is the rest of that line end */
} ends;

_Static_assert(sizeof(ends) <= SS_CODEC_STATE, "");

/* Where the next of these bytes is, or the end. */
static const uint8_t *next(const uint8_t *p, const uint8_t *end, int c)
{
  const uint8_t *found = p < end ? memchr(p, c, (size_t)(end - p)) : NULL;
  return found ? found : end;
}

/* Writes what stands between p and `to_end` with its lines ended by CR, each of which becomes CRLF. */
static uint8_t *mend(uint8_t *to, const uint8_t *p, const uint8_t *to_end)
{
  for (;;) {
    const uint8_t *cr = next(p, to_end, '\r');
    memcpy(to, p, (size_t)(cr - p));
    to += cr - p;
    if (cr == to_end) return to;
    *to++ = '\r';
    *to++ = '\n';
    p = cr + 1;
  }
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
  while (p < end) {
    const uint8_t *lf = next(p, end, '\n');
    out = mend(out, p, lf);
    if (lf == end) break;
    /* A CR before it has ended the line already, also where that was all there was of it. */
    if (lf == p || lf[-1] != '\r') {
      *out++ = '\r';
      *out++ = '\n';
    }
    p = lf + 1;
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
