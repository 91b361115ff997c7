/* queue_id: see queue_id.h. */
#include "smtp/queue_id.h"
#include "base/ascii.h"

#include <stdbool.h>
#include <string.h>

/* Words that come before the name. */
static const struct {
  const char *words;
  enum { ANYWHERE, AS_WORD, FIRST } where;
} forms[] = {{"queued as ", ANYWHERE}, {"id=", AS_WORD}, {"Queued! ", FIRST}};

/* Words that come behind it, at the end of the text. */
static const char last[] = " - gsmtp";

static bool is_alnum(char c)
{
  return ss_ascii_letter((unsigned char)c) || ss_ascii_digit((unsigned char)c);
}

static bool is_part(char c)
{
  return is_alnum(c) || c == '-' || c == '.';
}

/* The name that begins at `at`. */
static const char *name_at(const char *s, size_t n, size_t at, size_t *length)
{
  size_t end = at;
  while (end < n && is_part(s[end]))
    end++;
  *length = end - at;
  return end > at ? s + at : NULL;
}

/* The name behind the words, wherever they may stand. */
static const char *behind(const char *s, size_t n, size_t form, size_t *length)
{
  const char *words = forms[form].words, *name = NULL;
  size_t words_n = strlen(words);
  for (size_t at = 0; !name && at + words_n < n; at++) {
    const char *found = memchr(s + at, words[0], n - words_n - at);
    if (!found) return NULL;
    at = (size_t)(found - s);
    if (forms[form].where == FIRST && at > 0) return NULL;
    bool apart = forms[form].where != AS_WORD || at == 0 || !is_alnum(s[at - 1]);
    if (apart && memcmp(found, words, words_n) == 0) name = name_at(s, n, at + words_n, length);
  }
  return name;
}

/* The name before the last words. */
static const char *before(const char *s, size_t n, size_t *length)
{
  size_t last_n = sizeof last - 1;
  if (n <= last_n || memcmp(s + n - last_n, last, last_n) != 0) return NULL;
  size_t end = n - last_n, at = end;
  while (at > 0 && is_part(s[at - 1]))
    at--;
  *length = end - at;
  return end > at ? s + at : NULL;
}

const char *ss_queue_id(const char *s, size_t n, size_t *length)
{
  for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
    const char *name = behind(s, n, i, length);
    if (name) return name;
  }
  return before(s, n, length);
}
