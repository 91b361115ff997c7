/* base64: the transfer encoding of RFC 2045 section 6.8: lines of 76 characters joined by CRLF.
 *
 * No line end follows the last line: what comes after a body (a boundary, the end of the message) brings its own. The
 * arithmetic of the encoding itself is ss_base64_encode's; here are only the lines and the bytes that wait for two
 * more. */
#include "base/base64.h"
#include "mime/base64_lines.h"
#include "mime/codec.h"

#include <string.h>

enum { LINE = SS_BASE64_LINE, GROUP = 4, TAKES = 3 };

typedef struct lines {
  uint8_t waiting[TAKES]; /* fewer than three bytes, which cannot be encoded yet */
  uint8_t held;
  uint8_t column; /* characters in the line begun, 0 to 76 */
} lines;

_Static_assert(sizeof(lines) <= SS_CODEC_STATE, "");

/* What n bytes come to at most, with the line ends that they can cause. */
static size_t most(size_t n)
{
  size_t characters = ss_base64_length(n + TAKES);
  return characters + 2 * (characters / LINE + 1);
}

/* Encodes n bytes, whole groups unless they are the last, line by line. Returns the new end. */
static uint8_t *encode(lines *l, uint8_t *to, const uint8_t *p, size_t n)
{
  while (n) {
    if (l->column == LINE) {
      size_t whole = ss_base64_lines_best()(to, p, n);
      to += whole * SS_BASE64_LINE_WRITES;
      p += whole * SS_BASE64_LINE_TAKES;
      n -= whole * SS_BASE64_LINE_TAKES;
      if (n == 0) break;
      memcpy(to, "\r\n", 2);
      to += 2;
      l->column = 0;
    }
    size_t fits = (size_t)(LINE - l->column) / GROUP * TAKES;
    size_t take = n < fits ? n : fits;
    size_t written = ss_base64_encode((char *)to, p, take);
    l->column = (uint8_t)(l->column + written);
    to += written;
    p += take;
    n -= take;
  }
  return to;
}

static ss_status update(void *state, const uint8_t *p, size_t n, ss_buf *to)
{
  lines *l = state;
  uint8_t *room, *end;
  ss_status status = ss_codec_room(to, most(n), &room);
  if (status != SS_OK) return status;
  end = room;
  while (l->held && l->held < TAKES && n) {
    l->waiting[l->held++] = *p++;
    n--;
  }
  if (l->held == TAKES) {
    end = encode(l, end, l->waiting, TAKES);
    l->held = 0;
  }
  size_t rest = n % TAKES;
  end = encode(l, end, p, n - rest);
  if (rest) {
    memcpy(l->waiting, p + n - rest, rest);
    l->held = (uint8_t)rest;
  }
  ss_buf_commit(to, (size_t)(end - room));
  return SS_OK;
}

static ss_status finish(void *state, ss_buf *to)
{
  lines *l = state;
  uint8_t *room;
  ss_status status = ss_codec_room(to, most(0), &room);
  if (status != SS_OK) return status;
  ss_buf_commit(to, (size_t)(encode(l, room, l->waiting, l->held) - room));
  return SS_OK;
}

const ss_codec ss_codec_base64 = {"base64", sizeof(lines), update, finish};
