/* address: see address.h. */
#include "mime/address.h"

#include <string.h>

/* The string, how far it was read, and what was found so far. */
typedef struct reader {
  const char *s;
  size_t n, at;
  bool at_sign; /* outside quotes and angle brackets */
  bool words;   /* there are some in `name` */
  ss_buf *name;
  ss_status status;
} reader;

/* What may not stand outside quotes in a name, and what it would begin. */
static const char *refused(char c)
{
  switch (c) {
  case '(':
  case ')': return "comments in parentheses are not taken";
  case ':': return "a colon stands where no group can begin, and routes are not taken";
  case ';': return "a semicolon ends no group, and addresses are separated by commas";
  case '>': return "an angle bracket closes that was not opened";
  case '\\': return "a backslash stands outside quotes";
  default: return NULL;
  }
}

static void append(reader *r, const char *p, size_t n)
{
  if (r->status == SS_OK) r->status = ss_buf_append(r->name, p, n);
}

/* A word of the name begins. */
static void begin_word(reader *r)
{
  if (r->words) append(r, " ", 1);
  r->words = true;
}

/* Where the quoted string that begins at `at` ends, or n. */
static size_t quoted_end(const reader *r, size_t at)
{
  for (at++; at < r->n && r->s[at] != '"'; at++)
    if (r->s[at] == '\\') at++;
  return at < r->n ? at : r->n;
}

static size_t find(const reader *r, size_t at, char c)
{
  const char *found = at < r->n ? memchr(r->s + at, c, r->n - at) : NULL;
  return found ? (size_t)(found - r->s) : r->n;
}

/* Each reads what begins where the reader is. NULL, or what is wrong with it. */

static const char *quoted_word(reader *r)
{
  size_t end = quoted_end(r, r->at);
  if (end == r->n) return "a quote is never closed";
  begin_word(r);
  for (size_t i = r->at + 1; i < end; i++) {
    if (r->s[i] == '\\') i++;
    append(r, r->s + i, 1);
  }
  r->at = end + 1;
  return NULL;
}

/* A quoted local part may hold a ">". */
static const char *angle(reader *r, ss_address *a)
{
  size_t start = r->at + 1, end = start;
  if (start < r->n && r->s[start] == '"') end = quoted_end(r, start);
  end = find(r, end, '>');
  if (end == r->n) return "an angle bracket is never closed";
  a->angle = true;
  a->spec = start;
  a->spec_n = end - start;
  r->at = end + 1;
  return NULL;
}

static bool ends_atom(char c)
{
  switch (c) {
  case ' ':
  case '"':
  case '<':
  case '>':
  case ',':
  case ':':
  case ';':
  case '(':
  case ')':
  case '\\': return true;
  default: return false;
  }
}

static const char *atom(reader *r)
{
  size_t start = r->at, end = start;
  bool literal = false, closed = false; /* an address literal holds colons */
  for (; end < r->n && !ends_atom(r->s[end]); end++) {
    if (r->s[end] == '@') r->at_sign = true;
    if (r->s[end] == '[' && end > start && r->s[end - 1] == '@') literal = true;
    if (r->s[end] == ']') closed = true;
  }
  if (literal && !closed) {
    end = find(r, end, ']');
    if (end < r->n) end++;
  }
  begin_word(r);
  append(r, r->s + start, end - start);
  r->at = end;
  return NULL;
}

static const char *piece(reader *r, ss_address *a)
{
  char first = r->s[r->at];
  const char *why = refused(first);
  if (why) return why;
  if (a->angle) return "something follows the address in angle brackets";
  if (first == '"') return quoted_word(r);
  return first == '<' ? angle(r, a) : atom(r);
}

/* Judges what was read as a whole. */
static void judge(ss_address *a, const reader *r)
{
  if (a->group) return;
  if (a->stop == a->start) {
    a->fault = SS_ADDRESS_EMPTY;
  } else if (a->angle && r->at_sign) {
    a->fault = SS_ADDRESS_ITEM;
    a->why = "an @ stands in the name outside quotes";
  } else if (!a->angle) {
    a->spec = a->start;
    a->spec_n = a->stop - a->start;
    bool part_of_more = a->next < r->n || a->start > 0;
    if (!r->at_sign && part_of_more && !memchr(r->s + a->spec, '@', a->spec_n)) a->fault = SS_ADDRESS_COMMA;
  }
}

/* Whether the item ends here: before a comma, the colon of the group that it is, or the semicolon of the one it is in. */
static bool ends(ss_address *a, const reader *r, bool in_group)
{
  char c = r->s[r->at];
  a->group = c == ':' && r->words && !r->at_sign && !a->angle && !in_group;
  return a->group || c == ',' || (c == ';' && in_group);
}

ss_status ss_address_read(ss_address *a, const char *s, size_t n, size_t at, bool in_group, ss_buf *name)
{
  reader r = {.s = s, .n = n, .at = at, .name = name, .status = SS_OK};
  while (r.at < n && s[r.at] == ' ')
    r.at++;
  *a = (ss_address){.start = r.at, .stop = r.at};
  while (r.at < n && !ends(a, &r, in_group)) {
    if (s[r.at] == ' ') {
      r.at++;
      continue;
    }
    a->why = piece(&r, a);
    if (a->why) {
      a->fault = SS_ADDRESS_ITEM;
      a->stop = n;
      return r.status;
    }
    a->stop = r.at;
  }
  a->next = r.at;
  judge(a, &r);
  return r.status;
}
