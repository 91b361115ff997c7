/* charset: see charset.h. */
#include "mime/charset.h"
#include "base/ascii.h"
#include "base/utf8.h"

#include <errno.h>
#include <string.h>

enum { ROOM = 256 };

/* Converts from *p on, as far as it fits. Returns 0, or what stopped it: E2BIG or EILSEQ. Characters that the library only
 * finds a likeness for, or drops, are not taken for converted. */
static int convert(iconv_t to, const uint8_t **p, const uint8_t *end, uint8_t **out, size_t *room)
{
  char *in = (char *)(uintptr_t)*p, *made = (char *)*out; /* iconv does not write there */
  size_t left = (size_t)(end - *p);
  size_t lossy = iconv(to, &in, &left, &made, room);
  int stopped = lossy == (size_t)-1 ? errno : lossy ? EILSEQ : 0;
  *p = (const uint8_t *)in;
  *out = (uint8_t *)made;
  return stopped == EINVAL ? EILSEQ : stopped;
}

/* The first octet that begins a shift, or n. */
static size_t find_shift(const uint8_t *p, size_t n)
{
  enum { SO = 0x0E, SI = 0x0F, ESC = 0x1B };
  size_t i = 0;
  while (i < n && p[i] != SO && p[i] != SI && p[i] != ESC)
    i++;
  return i;
}

static void begin(iconv_t to)
{
  iconv(to, NULL, NULL, NULL, NULL);
}

/* Writes what leads back to ASCII. */
static bool end(iconv_t to, uint8_t **out, size_t *room)
{
  char *made = (char *)*out;
  bool fits = iconv(to, NULL, NULL, &made, room) != (size_t)-1;
  *out = (uint8_t *)made;
  return fits;
}

/* ---- opening -------------------------------------------------------------------------------------------------- */

/* RFC 2047 section 2 has no other characters in common with RFC 2231, and iconv takes a slash for a wish. */
static bool is_name(const char *s, size_t n)
{
  for (size_t i = 0; i < n; i++) {
    unsigned char ch = (unsigned char)s[i];
    if (!ss_ascii_letter(ch) && !ss_ascii_digit(ch) && !(i && (ch == '-' || ch == '_' || ch == '+')))
      return false;
  }
  return n > 0 && n <= SS_CHARSET_NAME;
}

/* Whether ASCII is itself in it. Of "\" and "~" some national charsets have their own opinion. */
static bool has_ascii(const ss_charset *c)
{
  static const char ascii[] = " !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]^_`"
                              "abcdefghijklmnopqrstuvwxyz{|}\t\r\n";
  const uint8_t *p = (const uint8_t *)ascii, *stop = p + sizeof ascii - 1;
  uint8_t text[ROOM], *out = text;
  size_t room = sizeof text;
  begin(c->to);
  bool fits = convert(c->to, &p, stop, &out, &room) == 0 && end(c->to, &out, &room);
  return fits && (size_t)(out - text) == sizeof ascii - 1 && memcmp(text, ascii, sizeof ascii - 1) == 0;
}

const char *ss_charset_open(ss_charset *c, const char *name, size_t n)
{
  char text[SS_CHARSET_NAME + 1];
  *c = (ss_charset){.open = false};
  if (!is_name(name, n)) return "is no name of a charset";
  memcpy(text, name, n);
  text[n] = '\0';
  c->to = iconv_open(text, "UTF-8");
  if (c->to == (iconv_t)-1)
    return errno == ENOMEM ? "cannot be opened: no memory" : "is not known to this system";
  c->open = true;
  memcpy(c->name, name, n);
  c->name_n = n;
  if (has_ascii(c)) return NULL;
  ss_charset_close(c);
  return "cannot be used in mail: ASCII is not ASCII in it";
}

void ss_charset_close(ss_charset *c)
{
  if (c->open) iconv_close(c->to);
  c->open = false;
}

/* ---- all of a text --------------------------------------------------------------------------------------------- */

static size_t character(const uint8_t *p, size_t n)
{
  uint32_t code;
  size_t length = ss_utf8_decode(p, n, &code);
  return length ? length : 1;
}

/* Where the character is that does not convert. */
static size_t find_bad(const ss_charset *c, const uint8_t *p, size_t n)
{
  size_t at = 0;
  begin(c->to);
  while (at < n) {
    uint8_t text[ROOM], *out = text;
    size_t room = sizeof text, length = character(p + at, n - at);
    const uint8_t *next = p + at;
    if (convert(c->to, &next, next + length, &out, &room) != 0) break;
    at += length;
  }
  return at;
}

/* Calls convert or end with room at the end of `to`. */
static ss_status step(const ss_charset *c, const uint8_t **p, const uint8_t *stop, ss_buf *to)
{
  size_t wanted = (size_t)(stop - *p) + ROOM, room = wanted;
  if (ss_buf_room(to) < wanted) return SS_E_FULL;
  uint8_t *from = ss_buf_reserve(to, wanted), *out = from;
  if (!from) return SS_E_MEMORY;
  int stopped = *p < stop ? convert(c->to, p, stop, &out, &room) : end(c->to, &out, &room) ? 0 : E2BIG;
  ss_buf_commit(to, (size_t)(out - from));
  return stopped == EILSEQ ? SS_E_ARGUMENT : stopped == E2BIG ? SS_AGAIN : SS_OK;
}

ss_status ss_charset_convert(const ss_charset *c, const uint8_t *p, size_t n, ss_buf *to, size_t *bad)
{
  size_t sound = find_shift(p, n);
  const uint8_t *at = p, *stop = p + sound;
  ss_status status = SS_OK;
  begin(c->to);
  while (at < stop && (status == SS_OK || status == SS_AGAIN))
    status = step(c, &at, stop, to);
  if (status == SS_OK) status = step(c, &at, stop, to);
  if (status == SS_E_ARGUMENT) *bad = find_bad(c, p, sound);
  if (status == SS_OK && sound < n) *bad = sound, status = SS_E_ARGUMENT;
  return status == SS_AGAIN ? SS_E_FULL : status;
}

/* ---- piece by piece -------------------------------------------------------------------------------------------- */

/* Converts n bytes by themselves. Returns how many they become; 0 where that is too many, or cannot be. */
static size_t whole(const ss_charset *c, const uint8_t *p, size_t n, uint8_t *to, size_t room)
{
  const uint8_t *stop = p + n;
  uint8_t *out = to;
  if (find_shift(p, n) < n) return 0;
  begin(c->to);
  return convert(c->to, &p, stop, &out, &room) == 0 && end(c->to, &out, &room) ? (size_t)(out - to) : 0;
}

void ss_charset_take(const ss_charset *c, const uint8_t *p, size_t n, ss_charset_width width, size_t limit,
                     ss_charset_piece *piece)
{
  uint8_t text[SS_CHARSET_PIECE];
  *piece = (ss_charset_piece){0};
  /* What leads back to ASCII is known only once it is written, so each length is tried: pieces are short. */
  for (size_t taken = 0; taken < n;) {
    taken += character(p + taken, n - taken);
    size_t made = whole(c, p, taken, text, sizeof text);
    if (made == 0 || width(text, made) > limit) break;
    memcpy(piece->bytes, text, made);
    piece->length = made;
    piece->takes = taken;
  }
}
