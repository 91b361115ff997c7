/* fields: the canonical form of header fields, and which of them are signed, see canon.h. */
#include "base/ascii.h"
#include "dkim/canon.h"

#include <string.h>

typedef struct span {
  const uint8_t *p, *end;
} span;

static bool is_blank(uint8_t c)
{
  return c == ' ' || c == '\t';
}

static bool is_space(uint8_t c)
{
  return is_blank(c) || c == '\r' || c == '\n';
}

/* The name of the field that begins at p: what stands before its colon, without the blanks between (RFC 5322 section
 * 4.5). */
static span name_of(const uint8_t *p, const uint8_t *end)
{
  const uint8_t *colon = p < end ? memchr(p, ':', (size_t)(end - p)) : NULL;
  span name = {p, colon ? colon : end};
  while (name.end > p && is_space(name.end[-1]))
    name.end--;
  return name;
}

/* Where the field at p ends: at a line end that no blank follows. */
static const uint8_t *end_of_field(const uint8_t *p, const uint8_t *end)
{
  do {
    const uint8_t *lf = memchr(p, '\n', (size_t)(end - p));
    p = lf ? lf + 1 : end;
  } while (p < end && is_blank(*p));
  return p;
}

/* Writes a value in the relaxed form: lines joined, blanks made one, none at either end. */
static uint8_t *relax(uint8_t *to, const uint8_t *p, const uint8_t *end)
{
  const uint8_t *start = to;
  bool blank = false;
  for (; p < end; p++) {
    if (*p == '\r' || *p == '\n') continue;
    if (is_blank(*p)) {
      blank = true;
      continue;
    }
    if (blank && to > start) *to++ = ' ';
    blank = false;
    *to++ = *p;
  }
  return to;
}

static uint8_t *lower(uint8_t *to, span name)
{
  for (const uint8_t *p = name.p; p < name.end; p++)
    *to++ = *p >= 'A' && *p <= 'Z' ? (uint8_t)(*p | 0x20) : *p;
  return to;
}

ss_status ss_dkim_field(const uint8_t *p, size_t n, bool relaxed, ss_buf *to)
{
  if (!relaxed) return ss_buf_append(to, p, n);
  if (n + 3 > ss_buf_room(to)) return SS_E_FULL;
  uint8_t *room = ss_buf_reserve(to, n + 3), *out;
  if (!room) return SS_E_MEMORY;
  const uint8_t *end = p + n, *colon = memchr(p, ':', n);
  out = lower(room, name_of(p, end));
  *out++ = ':';
  if (colon) out = relax(out, colon + 1, end);
  *out++ = '\r';
  *out++ = '\n';
  ss_buf_commit(to, (size_t)(out - room));
  return SS_OK;
}

static bool is_same(span name, const ss_dkim_name *wanted)
{
  size_t n = (size_t)(name.end - name.p);
  if (n != wanted->n) return false;
  for (size_t i = 0; i < n; i++) {
    uint8_t a = name.p[i], b = (uint8_t)wanted->name[i];
    if (a != b && !(ss_ascii_letter(a) && (a ^ b) == 0x20)) return false;
  }
  return true;
}

/* The field that ends where the header does. */
static span last_field(span header)
{
  const uint8_t *at = header.end;
  do {
    const uint8_t *lf = memrchr(header.p, '\n', (size_t)(at - 1 - header.p));
    at = lf ? lf + 1 : header.p;
  } while (at > header.p && is_blank(*at));
  return (span){at, header.end};
}

/* How many fields of that name there are. */
static size_t count_fields(span header, const ss_dkim_name *wanted)
{
  size_t count = 0;
  for (const uint8_t *p = header.p; p < header.end; p = end_of_field(p, header.end))
    count += is_same(name_of(p, header.end), wanted);
  return count;
}

/* The last field of that name, from the bottom upwards; an empty one at the top where there is none. */
static span find_last(span header, const ss_dkim_name *wanted)
{
  span field = {header.p, header.end};
  for (; header.end > header.p; header.end = field.p) {
    field = last_field(header);
    if (is_same(name_of(field.p, field.end), wanted)) return field;
  }
  return (span){header.p, header.p};
}

enum { LINE = 78, BEFORE_LIST = 3 }; /* " h=" */

typedef struct listing {
  ss_buf *to;
  size_t column;
  bool begun;
} listing;

/* Adds a name to the list, folding before it where the line would be too long for it and what ends it. */
static ss_status list_name(listing *l, const ss_dkim_name *name)
{
  ss_status status = l->begun ? ss_buf_append(l->to, ":", 1) : SS_OK;
  l->column += l->begun;
  if (status == SS_OK && l->begun && l->column + name->n + 1 > LINE) {
    status = ss_buf_append(l->to, "\r\n ", 3);
    l->column = 1;
  }
  l->begun = true;
  l->column += name->n;
  return status == SS_OK ? ss_buf_append(l->to, name->name, name->n) : status;
}

/* How many of the names before this one are the same. */
static size_t named_before(const ss_dkim_name *names, size_t at)
{
  size_t count = 0;
  for (size_t i = 0; i < at; i++) {
    const uint8_t *p = (const uint8_t *)names[i].name;
    count += is_same((span){p, p + names[i].n}, &names[at]);
  }
  return count;
}

/* Signs `times` fields of that name from the bottom upwards, but for the first `skip` of them. One that is not there is
 * signed as nothing. */
static ss_status sign_fields(span header, const ss_dkim_name *name, size_t skip, size_t times, bool relaxed,
                             ss_buf *fields, listing *list)
{
  ss_status status = SS_OK;
  for (size_t i = 0; i < skip; i++)
    header.end = find_last(header, name).p;
  for (size_t i = 0; status == SS_OK && i < times; i++) {
    span field = find_last(header, name);
    header.end = field.p;
    status = list_name(list, name);
    if (status == SS_OK && field.end > field.p)
      status = ss_dkim_field(field.p, (size_t)(field.end - field.p), relaxed, fields);
  }
  return status;
}

ss_status ss_dkim_pick_fields(const uint8_t *p, size_t n, const ss_dkim_name *names, size_t count,
                              bool relaxed, ss_buf *fields, ss_buf *list)
{
  span header = {p, p + n};
  listing l = {list, BEFORE_LIST, false};
  ss_status status = SS_OK;
  for (size_t i = 0; status == SS_OK && i < count; i++) {
    const ss_dkim_name *name = &names[i];
    size_t skip = 0, times = 1;
    if (name->pick == SS_DKIM_ONCE) {
      skip = named_before(names, i);
    } else {
      size_t there = count_fields(header, name);
      times = there + (name->pick == SS_DKIM_CLOSED || (name->pick == SS_DKIM_SEALED && there));
    }
    status = sign_fields(header, name, skip, times, relaxed, fields, &l);
  }
  return status;
}
