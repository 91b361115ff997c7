/* caps: see caps.h. */
#include "smtp/caps.h"
#include "smtp/reply.h"

#include <string.h>
#include <strings.h>

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
  c->known = c->pipelining = false;
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
    bool alnum = (p[i] >= '0' && p[i] <= '9') || ((p[i] | 0x20) >= 'a' && (p[i] | 0x20) <= 'z');
    if (!alnum && (p[i] != '-' || i == 0)) return false;
  }
  return n > 0;
}

bool ss_caps_next(const ss_caps *c, size_t *position, ss_keyword *k)
{
  const char *text = (const char *)ss_buf_data(&c->text);
  size_t n = ss_buf_len(&c->text);
  while (*position < n) {
    const char *lf = memchr(text + *position, '\n', n - *position);
    if (!lf) break; /* what is left is the line looked at last, or the first */
    const char *line = lf + 1, *end = memchr(line, '\n', n - (size_t)(line - text));
    if (!end) end = text + n;
    *position = (size_t)(line - text);
    k->name = line;
    k->name_length = word_length(line, end);
    if (!is_keyword(k->name, k->name_length)) continue;
    k->params = line + k->name_length + (line + k->name_length < end);
    k->params_length = (size_t)(end - k->params);
    return true;
  }
  return false;
}

static bool same(const char *p, size_t n, const char *word)
{
  return strlen(word) == n && strncasecmp(p, word, n) == 0;
}

bool ss_caps_find(const ss_caps *c, const char *name, ss_keyword *k)
{
  ss_keyword found;
  for (size_t position = 0; ss_caps_next(c, &position, &found);) {
    if (!same(found.name, found.name_length, name)) continue;
    if (k) *k = found;
    return true;
  }
  return false;
}

static bool has_word(const ss_keyword *k, const char *word)
{
  const char *p = k->params, *end = p + k->params_length;
  while (p < end) {
    size_t n = word_length(p, end);
    if (same(p, n, word)) return true;
    p += n + 1;
  }
  return false;
}

bool ss_caps_offers(const ss_caps *c, const char *name, const char *word)
{
  ss_keyword k;
  for (size_t position = 0; ss_caps_next(c, &position, &k);)
    if (same(k.name, k.name_length, name) && has_word(&k, word)) return true;
  return false;
}

uint64_t ss_caps_size_limit(const ss_caps *c)
{
  ss_keyword k;
  uint64_t limit = 0;
  if (!ss_caps_find(c, "SIZE", &k)) return 0;
  for (size_t i = 0; i < k.params_length && k.params[i] >= '0' && k.params[i] <= '9'; i++) {
    uint64_t d = (uint64_t)(k.params[i] - '0');
    if (limit > (UINT64_MAX - d) / 10) return UINT64_MAX;
    limit = limit * 10 + d;
  }
  return limit;
}
