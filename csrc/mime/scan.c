/* scan: see scan.h. */
#include "mime/scan.h"

static const char from[] = "From ";
enum { FROM_LENGTH = sizeof from - 1 };

static bool is_blank(uint8_t c)
{
  return c == ' ' || c == '\t';
}

static void line_end(ss_scan *s)
{
  if (is_blank(s->last)) s->marred = true;
  s->canonical += 2;
  s->line = 0;
  s->from = 0;
  s->open = false;
}

static void content(ss_scan *s, uint8_t c)
{
  if (s->line == s->from && s->from < FROM_LENGTH && c == (uint8_t)from[s->from]) s->from++;
  if (s->from == FROM_LENGTH) s->marred = true;
  s->canonical++;
  if (++s->line > s->longest) s->longest = s->line;
  s->open = true;
  if (c >= 0x80) s->eight_bit = true;
  if (c == 0) s->nul = true;
  if ((c < ' ' && c != '\t') || c >= 0x7F || c == '=') s->escapes++;
}

void ss_scan_update(ss_scan *s, const uint8_t *p, size_t n)
{
  s->size += n;
  for (size_t i = 0; i < n; i++) {
    if (p[i] == '\r' || (p[i] == '\n' && s->last != '\r'))
      line_end(s);
    else if (p[i] != '\n')
      content(s, p[i]);
    s->last = p[i];
  }
}

bool ss_scan_fragile(const ss_scan *s)
{
  return s->marred || is_blank(s->last);
}
