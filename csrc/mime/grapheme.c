/* grapheme: see grapheme.h. The borders are libunistring's, of whatever Unicode it knows; what it does not know yet is the
 * annex's rule GB9c, of Unicode 15.1. */
#include "mime/grapheme.h"
#include "base/utf8.h"

#include <stdbool.h>
#include <unigbrk.h>

/* Most graphemes are short: it is these octets that are looked at first, and twice as many each time that none ends in
 * them. */
enum { FIRST_LOOK = 16, LAST_LOOK = SS_GRAPHEME_SEEN };

static bool goes_on(uint8_t c)
{
  return (c & 0xC0) == 0x80;
}

/* The octets of the whole characters in the first `look` of n. */
static size_t whole(const uint8_t *p, size_t n, size_t look)
{
  if (n <= look) return n;
  while (look > 1 && goes_on(p[look]))
    look--;
  return look;
}

/* What binds the consonant behind it: the signs that Unicode 17 calls linkers (Indic_Conjunct_Break), which take away a
 * vowel, and the joiner, which may stand between. */
static bool binds(uint32_t code)
{
  switch (code) {
  case 0x200D:  /* zero width joiner */
  case 0x094D:  /* Devanagari */
  case 0x09CD:  /* Bengali */
  case 0x0ACD:  /* Gujarati */
  case 0x0B4D:  /* Oriya */
  case 0x0C4D:  /* Telugu */
  case 0x0D4D:  /* Malayalam */
  case 0x1039:  /* Myanmar */
  case 0x17D2:  /* Khmer */
  case 0x1A60:  /* Tai Tham */
  case 0x1B44:  /* Balinese */
  case 0x1BAB:  /* Sundanese */
  case 0xA9C0:  /* Javanese */
  case 0xAAF6:  /* Meetei Mayek */
  case 0x10A3F: /* Kharoshthi */
  case 0x11133: /* Chakma */
  case 0x113D0: /* Tulu-Tigalari */
  case 0x1193E: /* Dives Akuru */
  case 0x11A47: /* Zanabazar Square */
  case 0x11A99: /* Soyombo */
  case 0x11F42: /* Kawi */ return true;
  default: return false;
  }
}

/* Whether the character that ends before `at` binds the next one. */
static bool bound(const uint8_t *p, size_t at)
{
  uint32_t code = 0;
  size_t start = at - 1;
  while (start && goes_on(p[start]))
    start--;
  ss_utf8_decode(p + start, at - start, &code);
  return binds(code);
}

size_t ss_grapheme_length(const uint8_t *p, size_t n)
{
  char breaks[LAST_LOOK];
  for (size_t look = FIRST_LOOK;; look *= 2) {
    size_t seen = whole(p, n, look);
    u8_grapheme_breaks(p, seen, breaks);
    for (size_t at = 1; at < seen; at++)
      if (breaks[at] && !bound(p, at)) return at;
    if (seen == n || look == LAST_LOOK) return seen;
  }
}
