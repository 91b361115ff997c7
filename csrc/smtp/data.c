/* data: see data.h. */
#include "smtp/data.h"

#include <string.h>

void ss_data_begin(ss_data *d)
{
  *d = (ss_data){0};
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
  if (!d->line_open && *p == '.') *to++ = '.';
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

ss_status ss_data_write(ss_data *d, ss_buf *to, const void *bytes, size_t n)
{
  const uint8_t *p = bytes, *end = p + n;
  if (n == 0) return SS_OK;
  if (memchr(p, '\0', n)) return SS_E_ARGUMENT;
  if (n > SIZE_MAX / 2 || ss_buf_room(to) < ss_data_bound(n)) return SS_E_FULL;
  uint8_t *begin = ss_buf_reserve(to, ss_data_bound(n)), *out = begin;
  if (!out) return SS_E_MEMORY;
  /* The next LF is looked for once, not again at each CR before it: bare CRs must not cost more than other bytes. */
  const uint8_t *lf = find(p, end, '\n');
  while (p < end) {
    const uint8_t *stop = find(p, lf, '\r');
    out = put_text(d, out, p, (size_t)(stop - p));
    p = stop;
    if (p < end) out = put_break(d, out, *p++);
    if (p > lf) lf = find(p, end, '\n');
  }
  ss_buf_commit(to, (size_t)(out - begin));
  return SS_OK;
}

ss_status ss_data_end(ss_data *d, ss_buf *to)
{
  return ss_buf_puts(to, d->line_open ? "\r\n.\r\n" : ".\r\n");
}
