/* header: see header.h. */
#include "mime/header.h"
#include "base/utf8.h"
#include "mime/word.h"

#include <stdio.h>
#include <string.h>

/* Longest value of a parameter that is written in one piece. */
enum { PIECE = 60 };

static void put(ss_header *h, const void *p, size_t n)
{
  if (h->status == SS_OK) h->status = ss_buf_append(h->to, p, n);
  h->column += n;
}

static void fold(ss_header *h)
{
  put(h, "\r\n", 2);
  h->column = 0;
}

static void blanks(ss_header *h, size_t n)
{
  static const char some[] = "                ";
  for (size_t some_n = sizeof some - 1; n; n -= some_n) {
    if (n < some_n) some_n = n;
    put(h, some, some_n);
  }
}

/* Begins a token of n octets behind `lead` blanks, on a new line where this one has no room for it. */
static void open_token(ss_header *h, size_t lead, size_t n)
{
  if (h->begun && h->column + lead + n > SS_HEADER_WIDTH) fold(h);
  h->begun = true;
  blanks(h, lead);
}

static void token(ss_header *h, size_t lead, const uint8_t *p, size_t n)
{
  open_token(h, lead, n);
  put(h, p, n);
}

/* The charset does not have what stands there, though the caller has looked. */
static void give_up(ss_header *h)
{
  if (h->status == SS_OK) h->status = SS_E_ARGUMENT;
}

static bool encode_some(ss_header *h, ss_word *word, const uint8_t *p, size_t n, char encoding, bool torn)
{
  size_t room = SS_HEADER_WIDTH - h->column - 1;
  if (!h->charset) return ss_word_encode(word, p, n, encoding, room, torn);
  ss_word_encode_in(word, h->charset, p, n, room);
  return true;
}

static void encoded(ss_header *h, const uint8_t *p, size_t n)
{
  char encoding = ss_word_shorter(p, n);
  size_t shortest = h->charset ? ss_word_shortest_in(h->charset) : SS_WORD_SHORTEST;
  for (ss_word word; n; p += word.takes, n -= word.takes) {
    if (h->column + 1 + shortest > SS_HEADER_WIDTH) fold(h);
    bool new_line = h->column == 0 || !h->begun;
    if (!encode_some(h, &word, p, n, encoding, new_line)) {
      fold(h);
      encode_some(h, &word, p, n, encoding, true);
    }
    if (word.takes == 0) {
      give_up(h);
      return;
    }
    h->begun = true;
    blanks(h, 1);
    put(h, word.text, word.length);
  }
}

/* How many blanks, or octets that are none, stand at p. */

static size_t blank_run(const uint8_t *p, size_t n)
{
  size_t i = 0;
  while (i < n && p[i] == ' ')
    i++;
  return i;
}

static size_t word_run(const uint8_t *p, size_t n)
{
  const uint8_t *blank = n ? memchr(p, ' ', n) : NULL;
  return blank ? (size_t)(blank - p) : n;
}

void ss_header_begin(ss_header *h, ss_buf *to, const char *name, size_t n)
{
  *h = (ss_header){.to = to, .status = SS_OK};
  put(h, name, n);
  put(h, ":", 1);
}

void ss_header_token(ss_header *h, const char *s, size_t n)
{
  token(h, 1, (const uint8_t *)s, n);
}

/* A word of unstructured text, the blanks before it, and whether they stand together at an end of the text. */
typedef struct piece {
  size_t at, lead, length;
  bool at_an_end;
} piece;

/* The next one. The last one takes with it the blanks that follow it. */
static piece next_piece(const uint8_t *p, size_t n, size_t at, size_t words_end)
{
  piece next = {.at = at, .lead = blank_run(p + at, n - at)};
  size_t start = at + next.lead;
  next.length = word_run(p + start, n - start);
  bool last = start + next.length >= words_end;
  next.at_an_end = (at == 0 && next.lead) || (last && words_end < n);
  if (last) next.length = n - start;
  return next;
}

static bool must_encode(const ss_header *h, const uint8_t *p, const piece *next, bool in_run)
{
  bool at_a_fold = !in_run && next->lead > 1 && h->column + next->lead + next->length > SS_HEADER_WIDTH;
  return next->at_an_end || at_a_fold || next->length > SS_HEADER_LONGEST ||
         ss_word_needed(p + next->at + next->lead, next->length);
}

void ss_header_text(ss_header *h, const char *s, size_t n)
{
  const uint8_t *p = (const uint8_t *)s;
  size_t words_end = n, run = 0; /* run: where the text begins that waits to be encoded together */
  bool in_run = false;
  while (words_end && p[words_end - 1] == ' ')
    words_end--;
  for (size_t at = 0; at < n;) {
    piece next = next_piece(p, n, at, words_end);
    size_t start = at + next.lead;
    if (must_encode(h, p, &next, in_run)) {
      /* A blank is lost between words that are encoded apart, so one stays outside where a run begins. */
      if (!in_run) run = at ? at + 1 : 0;
      in_run = true;
    } else {
      if (in_run) encoded(h, p + run, start - 1 - run);
      token(h, in_run || at == 0 ? 1 : next.lead, p + start, next.length);
      in_run = false;
    }
    at = start + next.length;
  }
  if (in_run) encoded(h, p + run, n - run);
}

static bool is_atext(uint8_t c)
{
  return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
         (c && strchr("!#$%&'*+/=?^_`{|}~-", c) != NULL);
}

/* Atoms with one blank between them. */
static bool is_atoms(const uint8_t *p, size_t n)
{
  bool in_atom = false;
  for (size_t i = 0; i < n; i++) {
    if (!is_atext(p[i]) && !(p[i] == ' ' && in_atom)) return false;
    in_atom = p[i] != ' ';
  }
  return in_atom;
}

static bool has_long_word(const uint8_t *p, size_t n)
{
  for (size_t i = 0; i < n;) {
    i += blank_run(p + i, n - i);
    size_t length = word_run(p + i, n - i);
    if (length > SS_HEADER_LONGEST / 2) return true;
    i += length;
  }
  return false;
}

static void atoms(ss_header *h, const uint8_t *p, size_t n)
{
  for (size_t i = 0; i < n;) {
    size_t length = word_run(p + i, n - i);
    token(h, 1, p + i, length);
    i += length + 1;
  }
}

static bool needs_backslash(uint8_t c)
{
  return c == '"' || c == '\\';
}

static size_t escaped_length(const uint8_t *p, size_t n)
{
  size_t length = n;
  for (size_t i = 0; i < n; i++)
    if (needs_backslash(p[i])) length++;
  return length;
}

static void put_escaped(ss_header *h, const uint8_t *p, size_t n)
{
  for (size_t i = 0; i < n; i++) {
    if (needs_backslash(p[i])) put(h, "\\", 1);
    put(h, p + i, 1);
  }
}

/* A quoted string, which may be folded at its blanks. */
static void quoted(ss_header *h, const uint8_t *p, size_t n)
{
  size_t i = 0, lead = 1;
  for (bool first = true, last = false; !last; first = false) {
    size_t length = word_run(p + i, n - i);
    last = i + length == n;
    open_token(h, lead, escaped_length(p + i, length) + first + last);
    if (first) put(h, "\"", 1);
    put_escaped(h, p + i, length);
    if (last) put(h, "\"", 1);
    i += length;
    lead = blank_run(p + i, n - i);
    i += lead;
  }
}

/* Whether there are blanks that some readers lose, inside quotes too: at an end, or several at a fold. */
static bool has_loose_blanks(const uint8_t *p, size_t n)
{
  if (n && (p[0] == ' ' || p[n - 1] == ' ')) return true;
  for (size_t i = 1; i < n; i++)
    if (p[i] == ' ' && p[i - 1] == ' ') return true;
  return false;
}

static bool is_encoded(const uint8_t *p, size_t n)
{
  return has_loose_blanks(p, n) || ss_word_needed(p, n) || has_long_word(p, n);
}

void ss_header_phrase(ss_header *h, const char *s, size_t n)
{
  const uint8_t *p = (const uint8_t *)s;
  if (is_encoded(p, n))
    encoded(h, p, n);
  else if (is_atoms(p, n))
    atoms(h, p, n);
  else
    quoted(h, p, n);
}

void ss_header_mailbox(ss_header *h, const char *name, size_t name_n, const char *address, size_t n,
                       const char *after)
{
  if (name_n) ss_header_phrase(h, name, name_n);
  open_token(h, 1, n + (name_n ? 2 : 0) + strlen(after));
  if (name_n) put(h, "<", 1);
  put(h, address, n);
  if (name_n) put(h, ">", 1);
  put(h, after, strlen(after));
}

void ss_header_group(ss_header *h, const char *name, size_t n, const char *after)
{
  size_t length = strlen(after);
  ss_header_phrase(h, name, n);
  /* A blank parts an encoded word from what is none (RFC 2047 section 5 (3)). */
  bool apart = is_encoded((const uint8_t *)name, n) || h->column + 1 + length > SS_HEADER_WIDTH;
  if (apart) open_token(h, 1, 1 + length);
  put(h, ":", 1);
  put(h, after, length);
}

/* RFC 2231 section 7: attribute-char, spelt so that no reader trips over it. */
static bool is_attribute(uint8_t c)
{
  return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
         (c && strchr("!#$&+.^_`|~-", c) != NULL);
}

/* RFC 2231: the value in as many numbered sections as lines are needed, split between characters. */
typedef struct sections {
  ss_header *header;
  const char *name;
  size_t name_n;
  unsigned number;
  size_t length;
  char text[SS_HEADER_WIDTH]; /* of the section that is being filled */
} sections;

static void emit(sections *s, bool last)
{
  char label[16];
  int label_n = last && s->number == 0 ? snprintf(label, sizeof label, "*=")
                                       : snprintf(label, sizeof label, "*%u*=", s->number);
  open_token(s->header, 1, s->name_n + (size_t)label_n + s->length + !last);
  put(s->header, s->name, s->name_n);
  put(s->header, label, (size_t)label_n);
  put(s->header, s->text, s->length);
  if (!last) put(s->header, ";", 1);
  s->number++;
  s->length = 0;
}

static size_t percent(char *to, const uint8_t *p, size_t n)
{
  static const char hex[] = "0123456789ABCDEF";
  char *at = to;
  for (size_t i = 0; i < n; i++) {
    if (is_attribute(p[i])) {
      *at++ = (char)p[i];
    } else {
      *at++ = '%';
      *at++ = hex[p[i] >> 4];
      *at++ = hex[p[i] & 15];
    }
  }
  return (size_t)(at - to);
}

static size_t percent_width(const uint8_t *p, size_t n)
{
  size_t width = n;
  for (size_t i = 0; i < n; i++)
    if (!is_attribute(p[i])) width += 2;
  return width;
}

static void converted_sections(sections *s, const uint8_t *p, size_t n, size_t room)
{
  enum { SHORTEST = 3 * SS_CHARSET_WIDEST }; /* any character fits, however long the parameter's name is */
  for (ss_charset_piece some; n; p += some.takes, n -= some.takes) {
    size_t limit = room > s->length + SHORTEST ? room - s->length : SHORTEST;
    ss_charset_take(s->header->charset, p, n, percent_width, limit, &some);
    if (some.takes == 0) {
      give_up(s->header);
      return;
    }
    s->length += percent(s->text + s->length, some.bytes, some.length);
    if (some.takes < n) emit(s, false);
  }
  emit(s, true);
}

static size_t put_charset(char *to, const ss_charset *c)
{
  size_t n = c ? c->name_n : sizeof "UTF-8" - 1;
  memcpy(to, c ? c->name : "UTF-8", n);
  memcpy(to + n, "''", 2);
  return n + 2;
}

static void parameter_sections(ss_header *h, const char *name, size_t name_n, const uint8_t *p, size_t n)
{
  enum { AROUND = sizeof " *123*=;" - 1 };
  sections s = {.header = h, .name = name, .name_n = name_n};
  size_t room = name_n + AROUND < SS_HEADER_WIDTH ? SS_HEADER_WIDTH - name_n - AROUND : 0;
  s.length = put_charset(s.text, h->charset);
  if (h->charset) {
    converted_sections(&s, p, n, room);
    return;
  }
  for (size_t i = 0; i < n;) {
    uint32_t code;
    char character[3 * SS_UTF8_LONGEST];
    size_t length = ss_utf8_decode(p + i, n - i, &code);
    if (length == 0) length = 1;
    size_t width = percent(character, p + i, length);
    if (s.length + width > room) emit(&s, false);
    memcpy(s.text + s.length, character, width);
    s.length += width;
    i += length;
  }
  emit(&s, true);
}

static bool all(const uint8_t *p, size_t n, bool (*is)(uint8_t))
{
  for (size_t i = 0; i < n; i++)
    if (!is(p[i])) return false;
  return true;
}

static bool is_quotable(uint8_t c)
{
  return c >= ' ' && c < 0x7F && !needs_backslash(c);
}

void ss_header_parameter(ss_header *h, const char *name, size_t name_n, const char *value, size_t n)
{
  const uint8_t *p = (const uint8_t *)value;
  bool bare = n && all(p, n, is_attribute);
  put(h, ";", 1);
  if (n > PIECE || (!bare && (!all(p, n, is_quotable) || ss_word_needed(p, n)))) {
    parameter_sections(h, name, name_n, p, n);
    return;
  }
  const char *quote = bare ? "" : "\"";
  open_token(h, 1, name_n + 1 + n + 2 * strlen(quote));
  put(h, name, name_n);
  put(h, "=", 1);
  put(h, quote, strlen(quote));
  put(h, value, n);
  put(h, quote, strlen(quote));
}

ss_status ss_header_end(ss_header *h)
{
  put(h, "\r\n", 2);
  return h->status;
}
