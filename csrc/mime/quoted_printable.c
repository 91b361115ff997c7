/* quoted-printable: the transfer encoding of RFC 2045 section 6.7, for text.
 *
 * CRLF stays a line end; a CR or LF alone is data and is escaped. Lines are of at most 76 characters, longer ones get
 * soft breaks. Beyond what the RFC asks, nothing that some relay is known to alter is left in sight: a blank before a
 * line end, "From " and a dot at the start of a line are escaped too. */
#include "mime/codec.h"

#include <string.h>

enum { LINE = 75 /* and one column for the "=" of a soft break */, ESCAPE = 3 };

typedef struct text {
  uint8_t column; /* of the output line */
  uint8_t from;   /* how many characters of "From" the output line consists of so far */
  char blank;     /* a space or tab held back until it is known whether the line ends here; 0: none */
  bool cr;        /* a CR held back until it is known whether a LF follows */
} text;

_Static_assert(sizeof(text) <= SS_CODEC_STATE, "");

/* What n bytes come to at most, after two that were held back: every byte escaped, and a soft break (three more) for
 * every line; a line is broken at column 73 at the earliest. */
static size_t most(size_t n)
{
  size_t escaped = ESCAPE * (n + 2);
  return escaped + 3 * (escaped / (LINE - ESCAPE + 1) + 1);
}

static uint8_t *line_begins(text *t, uint8_t *to, const char *end)
{
  size_t n = strlen(end);
  memcpy(to, end, n);
  t->column = t->from = 0;
  return to + n;
}

static uint8_t *make_room(text *t, uint8_t *to, unsigned width)
{
  return t->column + width > LINE ? line_begins(t, to, "=\r\n") : to;
}

static uint8_t *escaped(text *t, uint8_t *to, uint8_t c)
{
  static const char hex[] = "0123456789ABCDEF";
  to = make_room(t, to, ESCAPE);
  *to++ = '=';
  *to++ = (uint8_t)hex[c >> 4];
  *to++ = (uint8_t)hex[c & 15];
  t->column = (uint8_t)(t->column + ESCAPE);
  return to;
}

static uint8_t *literal(text *t, uint8_t *to, uint8_t c)
{
  to = make_room(t, to, 1);
  if (c == '.' && t->column == 0) return escaped(t, to, c);
  if (c == ' ' && t->column == 4 && t->from == 4) return escaped(t, to, c);
  if (t->column == t->from && t->from < 4 && c == "From"[t->from]) t->from++;
  *to++ = c;
  t->column++;
  return to;
}

static uint8_t *release_blank(text *t, uint8_t *to)
{
  if (t->blank) to = literal(t, to, (uint8_t)t->blank);
  t->blank = 0;
  return to;
}

static uint8_t *line_ends(text *t, uint8_t *to)
{
  if (t->blank) to = escaped(t, to, (uint8_t)t->blank);
  t->blank = 0;
  return line_begins(t, to, "\r\n");
}

static uint8_t *lone_cr(text *t, uint8_t *to)
{
  return escaped(t, release_blank(t, to), '\r');
}

static uint8_t *encode(text *t, uint8_t *to, uint8_t c)
{
  bool after_cr = t->cr;
  t->cr = c == '\r';
  if (after_cr && c == '\n') return line_ends(t, to);
  if (after_cr) to = lone_cr(t, to);
  if (c == '\r') return to;
  to = release_blank(t, to);
  if (c == ' ' || c == '\t') {
    t->blank = (char)c;
    return to;
  }
  return c > ' ' && c < 0x7F && c != '=' ? literal(t, to, c) : escaped(t, to, c);
}

/* How many characters from here on pass as they are: visible ones, within the line, where nothing is held back and no
 * start of a line has to be watched. */
static size_t plain(const text *t, const uint8_t *p, size_t n)
{
  size_t i = 0;
  if (t->blank || t->cr || t->column == 0 || t->column == t->from) return 0;
  if (n > (size_t)(LINE - t->column)) n = (size_t)(LINE - t->column);
  while (i < n && p[i] > ' ' && p[i] < 0x7F && p[i] != '=')
    i++;
  return i;
}

static ss_status update(void *state, const uint8_t *p, size_t n, ss_buf *to)
{
  text *t = state;
  uint8_t *room, *end;
  ss_status status = ss_codec_room(to, most(n), &room);
  if (status != SS_OK) return status;
  end = room;
  for (size_t i = 0; i < n;) {
    size_t run = plain(t, p + i, n - i);
    memcpy(end, p + i, run);
    end += run;
    t->column = (uint8_t)(t->column + run);
    i += run;
    if (i < n) end = encode(t, end, p[i++]);
  }
  ss_buf_commit(to, (size_t)(end - room));
  return SS_OK;
}

static ss_status finish(void *state, ss_buf *to)
{
  text *t = state;
  uint8_t *room, *end;
  ss_status status = ss_codec_room(to, most(0), &room);
  if (status != SS_OK) return status;
  end = room;
  if (t->cr)
    end = lone_cr(t, end);
  else if (t->blank)
    end = escaped(t, end, (uint8_t)t->blank);
  ss_buf_commit(to, (size_t)(end - room));
  return SS_OK;
}

const ss_codec ss_codec_quoted_printable = {"quoted-printable", sizeof(text), update, finish};
