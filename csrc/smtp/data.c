/* data: see data.h. */
#include "smtp/data.h"
#include "base/ascii.h"

#include <string.h>

enum { BDAT_LINE = sizeof "BDAT 18446744073709551615 LAST\r\n" };

void ss_data_begin(ss_data *d, bool dotted)
{
  *d = (ss_data){.dotted = dotted};
}

/* The first c in [p, end), or end. */
static const uint8_t *find(const uint8_t *p, const uint8_t *end, int c)
{
  const uint8_t *at = memchr(p, c, (size_t)(end - p));
  return at ? at : end;
}

static uint8_t *put_text(ss_data *d, uint8_t *to, const uint8_t *p, size_t n)
{
  if (n == 0) return to;
  if (d->dotted && !d->line_open && *p == '.') *to++ = '.';
  memcpy(to, p, n);
  d->line_open = true;
  d->after_cr = false;
  return to + n;
}

/* Either byte ends the line at once; the LF of a CRLF was written with its CR. */
static uint8_t *put_break(ss_data *d, uint8_t *to, uint8_t c)
{
  bool second_half = c == '\n' && d->after_cr;
  d->after_cr = c == '\r';
  if (second_half) return to;
  d->line_open = false;
  *to++ = '\r';
  *to++ = '\n';
  return to;
}

/* The end of the whole lines at p that leave as they came, which is most often all of them. */
static const uint8_t *clean_lines(const ss_data *d, const uint8_t *p, const uint8_t *end)
{
  while (p < end && !(d->dotted && *p == '.')) {
    const uint8_t *lf = find(p, end, '\n');
    if (lf == end || find(p, lf, '\r') + 1 != lf) break;
    p = lf + 1;
  }
  return p;
}

static uint8_t *put_clean(ss_data *d, uint8_t *to, const uint8_t *p, size_t n)
{
  if (n == 0) return to;
  memcpy(to, p, n);
  d->line_open = false;
  return to + n;
}

/* One line, or what there is of it. Its LF is looked for once, not again at each CR before it: bare CRs must not cost more
 * than other bytes. */
static uint8_t *put_line(ss_data *d, uint8_t *to, const uint8_t **line, const uint8_t *end)
{
  const uint8_t *p = *line, *lf = find(p, end, '\n'), *next = lf < end ? lf + 1 : end;
  while (p < next) {
    const uint8_t *stop = find(p, lf, '\r');
    to = put_text(d, to, p, (size_t)(stop - p));
    p = stop;
    if (p < next) to = put_break(d, to, *p++);
  }
  *line = next;
  return to;
}

static uint8_t *encode(ss_data *d, uint8_t *to, const uint8_t *p, size_t n)
{
  const uint8_t *end = p + n;
  if (d->binary) {
    memcpy(to, p, n);
    return to + n;
  }
  while (p < end) {
    const uint8_t *clean = d->after_cr ? p : clean_lines(d, p, end);
    to = put_clean(d, to, p, (size_t)(clean - p));
    p = clean;
    if (p < end) to = put_line(d, to, &p, end);
  }
  return to;
}

/* Where n bytes and `more` may be written; NULL and *status otherwise. */
static uint8_t *reserve(const ss_data *d, ss_buf *to, const void *p, size_t n, size_t more, ss_status *status)
{
  uint8_t *begin = NULL;
  if (n && !d->binary && memchr(p, '\0', n))
    *status = SS_E_ARGUMENT;
  else if (n > SIZE_MAX / 4 || ss_buf_room(to) < ss_data_bound(n) + more)
    *status = SS_E_FULL;
  else if (!(begin = ss_buf_reserve(to, ss_data_bound(n) + more)))
    *status = SS_E_MEMORY;
  return begin;
}

ss_status ss_data_write(ss_data *d, ss_buf *to, const void *p, size_t n)
{
  ss_status status = SS_OK;
  if (n == 0) return SS_OK;
  uint8_t *begin = reserve(d, to, p, n, 0, &status);
  if (begin) ss_buf_commit(to, (size_t)(encode(d, begin, p, n) - begin));
  return status;
}

ss_status ss_data_end(ss_data *d, ss_buf *to)
{
  return ss_buf_puts(to, d->line_open ? "\r\n.\r\n" : ".\r\n");
}

static size_t bdat_line(char line[BDAT_LINE], size_t octets, bool last)
{
  const char *end = last ? " LAST\r\n" : "\r\n";
  memcpy(line, "BDAT ", 5);
  size_t length = 5 + ss_ascii_number(line + 5, octets), rest = strlen(end);
  memcpy(line + length, end, rest);
  return length + rest;
}

ss_status ss_data_chunk(ss_data *d, ss_buf *to, const void *p, size_t n, bool last)
{
  ss_status status = SS_OK;
  char line[BDAT_LINE];
  uint8_t *begin = reserve(d, to, p, n, BDAT_LINE + 2, &status);
  if (!begin) return status;
  /* The count stands before what it counts. Most often it is n, so the octets are written where they then belong, and moved
     where it is not: cheaper than to go over them twice. */
  size_t guess = bdat_line(line, n, last);
  uint8_t *octets = begin + guess, *end = n ? encode(d, octets, p, n) : octets;
  if (last && d->line_open) end = put_break(d, end, '\r');
  size_t count = (size_t)(end - octets), length = count == n ? guess : bdat_line(line, count, last);
  if (length != guess) memmove(begin + length, octets, count);
  memcpy(begin, line, length);
  ss_buf_commit(to, length + count);
  return SS_OK;
}
