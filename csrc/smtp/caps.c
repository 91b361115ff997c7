/* caps: see caps.h. */
#include "smtp/caps.h"
#include "base/ascii.h"
#include "smtp/reply.h"

#include <string.h>

void ss_caps_init(ss_caps *c)
{
  *c = (ss_caps){0};
  ss_buf_init(&c->text, SS_REPLY_TOTAL);
}

void ss_caps_free(ss_caps *c)
{
  ss_buf_free(&c->text);
}

void ss_caps_forget(ss_caps *c)
{
  ss_buf_clear(&c->text);
  c->known = c->pipelining = c->chunking = false;
}

ss_status ss_caps_learn(ss_caps *c, const char *text, size_t n, bool extended)
{
  ss_caps_forget(c);
  if (!extended) {
    const char *end = memchr(text, '\n', n);
    if (end) n = (size_t)(end - text);
  }
  ss_status status = ss_buf_append(&c->text, text, n);
  c->known = status == SS_OK;
  c->pipelining = c->known && ss_caps_find(c, "PIPELINING", NULL);
  c->chunking = c->known && ss_caps_find(c, "CHUNKING", NULL);
  return status;
}

static size_t word_length(const char *p, const char *end)
{
  const char *from = p;
  while (p < end && *p != ' ' && *p != '\t' && *p != '\n')
    p++;
  return (size_t)(p - from);
}

const char *ss_caps_server(const ss_caps *c, size_t *n)
{
  const char *p = (const char *)ss_buf_data(&c->text);
  *n = p ? word_length(p, p + ss_buf_len(&c->text)) : 0;
  return p ? p : "";
}

/* RFC 5321 section 4.1.1.1: ehlo-keyword = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-") */
static bool is_keyword(const char *p, size_t n)
{
  for (size_t i = 0; i < n; i++) {
    unsigned char c = (unsigned char)p[i];
    if (!ss_ascii_digit(c) && !ss_ascii_letter(c) && (p[i] != '-' || i == 0)) return false;
  }
  return n > 0;
}

static bool hidden(const ss_caps *c, const ss_keyword *k)
{
  return (c->without_pipelining && ss_ascii_same(k->name, k->name_length, "PIPELINING")) ||
         (c->without_chunking && ss_ascii_same(k->name, k->name_length, "CHUNKING"));
}

/* The next line, the first one left out; *position is where it ends. */
static bool next_line(const ss_caps *c, size_t *position, ss_word *line)
{
  const char *text = (const char *)ss_buf_data(&c->text);
  size_t n = ss_buf_len(&c->text);
  const char *before = n ? memchr(text + *position, '\n', n - *position) : NULL;
  if (!before) return false; /* what is left is the line looked at last, or the first */
  line->text = before + 1;
  const char *end = memchr(line->text, '\n', n - (size_t)(line->text - text));
  *position = end ? (size_t)(end - text) : n;
  line->length = (size_t)(text + *position - line->text);
  return true;
}

static ss_keyword split(const ss_word *line)
{
  const char *end = line->text + line->length;
  ss_keyword k = {.name = line->text, .name_length = word_length(line->text, end)};
  k.params = k.name + k.name_length + (k.name + k.name_length < end);
  k.params_length = (size_t)(end - k.params);
  return k;
}

bool ss_caps_next(const ss_caps *c, size_t *position, ss_keyword *k)
{
  ss_word line;
  while (next_line(c, position, &line)) {
    *k = split(&line);
    if (is_keyword(k->name, k->name_length) && !hidden(c, k)) return true;
  }
  return false;
}

bool ss_caps_find(const ss_caps *c, const char *name, ss_keyword *k)
{
  ss_word line;
  size_t n = strlen(name);
  for (size_t position = 0; next_line(c, &position, &line);) {
    if (line.length < n || !ss_ascii_same(line.text, n, name)) continue;
    ss_keyword found = split(&line);
    if (found.name_length != n || hidden(c, &found)) continue;
    if (k) *k = found;
    return true;
  }
  return false;
}

bool ss_caps_next_param(const ss_keyword *k, size_t *position, ss_word *word)
{
  const char *p = k->params + *position, *end = k->params + k->params_length;
  while (p < end && (*p == ' ' || *p == '\t'))
    p++;
  *word = (ss_word){p, word_length(p, end)};
  *position = (size_t)(p - k->params) + word->length;
  return word->length > 0;
}

static bool has_word(const ss_keyword *k, const char *wanted)
{
  ss_word word;
  for (size_t position = 0; ss_caps_next_param(k, &position, &word);)
    if (ss_ascii_same(word.text, word.length, wanted)) return true;
  return false;
}

bool ss_caps_offers(const ss_caps *c, const char *name, const char *word)
{
  ss_keyword k;
  for (size_t position = 0; ss_caps_next(c, &position, &k);)
    if (ss_ascii_same(k.name, k.name_length, name) && has_word(&k, word)) return true;
  return false;
}

uint64_t ss_caps_number(const char *p, size_t n)
{
  uint64_t value = 0;
  for (size_t i = 0; i < n && ss_ascii_digit((unsigned char)p[i]); i++) {
    uint64_t d = (uint64_t)(p[i] - '0');
    if (value > (UINT64_MAX - d) / 10) return UINT64_MAX;
    value = value * 10 + d;
  }
  return value;
}

/* RFC 9422 section 5: %x31-39 0*5DIGIT */
static bool is_limit(const char *p, size_t n)
{
  for (size_t i = 0; i < n; i++)
    if (!ss_ascii_digit((unsigned char)p[i])) return false;
  return n >= 1 && n <= 6 && p[0] != '0';
}

bool ss_caps_limit(const ss_caps *c, const char *name, unsigned *value)
{
  ss_keyword k;
  ss_word word;
  size_t length = strlen(name);
  if (!ss_caps_find(c, "LIMITS", &k)) return false;
  for (size_t position = 0; ss_caps_next_param(&k, &position, &word);) {
    if (word.length <= length || word.text[length] != '=' || !ss_ascii_same(word.text, length, name))
      continue;
    const char *number = word.text + length + 1;
    size_t n = word.length - length - 1;
    if (!is_limit(number, n)) continue;
    *value = (unsigned)ss_caps_number(number, n);
    return true;
  }
  return false;
}
