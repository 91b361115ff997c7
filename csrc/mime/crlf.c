/* crlf: line ends mended. CR, LF and CRLF each become CRLF, the only form that a message may have on the wire (RFC
 * 5321 section 2.3.8); everything else passes. A NUL is refused: no text has one, and readers disagree about what
 * follows it. */
#include "mime/codec.h"

#include <string.h>

typedef struct ends {
  bool after_cr; /* the line was ended at the CR: a LF that comes now is the rest of that line end */
} ends;

static ss_status update(void *state, const uint8_t *p, size_t n, ss_buf *to)
{
  ends *e = state;
  uint8_t *room, *end;
  if (n == 0) return SS_OK;
  if (memchr(p, '\0', n)) return SS_E_ARGUMENT;
  ss_status status = ss_codec_room(to, 2 * n, &room);
  if (status != SS_OK) return status;
  end = room;
  for (size_t i = 0; i < n; i++) {
    bool rest_of_end = p[i] == '\n' && e->after_cr;
    e->after_cr = p[i] == '\r';
    if (rest_of_end) continue;
    if (p[i] == '\r' || p[i] == '\n') {
      *end++ = '\r';
      *end++ = '\n';
    } else {
      *end++ = p[i];
    }
  }
  ss_buf_commit(to, (size_t)(end - room));
  return SS_OK;
}

static ss_status finish(void *state, ss_buf *to)
{
  (void)state;
  (void)to;
  return SS_OK;
}

const ss_codec ss_codec_crlf = {"crlf", sizeof(ends), update, finish};
