/* charset: text in another charset than UTF-8, for readers that know no other, by the C library's iconv.
 *
 * Only charsets in which ASCII is ASCII are taken: header lines, line ends and boundaries are written around their text.
 * Those with shifts (ISO 2022) come back to ASCII at the end of each conversion, and of each line; so that nobody's text is
 * one, what shifts are made of (ESC, SO, SI) is in no charset here. What a charset does not have is an error, never a
 * likeness. */
#ifndef SS_CHARSET_H
#define SS_CHARSET_H

#include "base/buf.h"

#include <iconv.h>
#include <stdbool.h>

/* Longest name; most characters that a piece in a header comes to. */
enum { SS_CHARSET_NAME = 32, SS_CHARSET_PIECE = 76 };

typedef struct ss_charset {
  bool open;
  iconv_t to;
  size_t name_n;
  char name[SS_CHARSET_NAME];
} ss_charset;

/* Opens the charset of that name. NULL, or a static sentence that says what is wrong with it; then nothing is open. */
const char *ss_charset_open(ss_charset *c, const char *name, size_t n);
void ss_charset_close(ss_charset *c);

/* Appends n bytes of valid UTF-8, converted. SS_OK; SS_E_ARGUMENT when the charset has no such character as the one at *bad;
 * SS_E_FULL or SS_E_MEMORY. What was appended before a failure is of no use. */
ss_status ss_charset_convert(const ss_charset *c, const uint8_t *p, size_t n, ss_buf *to, size_t *bad);

/* What the n bytes at p come to in a header. */
typedef size_t (*ss_charset_width)(const uint8_t *p, size_t n);

/* A piece of a text. */
typedef struct ss_charset_piece {
  size_t
      takes; /* bytes of the text that are in it: whole characters; 0 where the charset does not have the first */
  size_t length; /* bytes of the charset */
  uint8_t bytes[SS_CHARSET_PIECE];
} ss_charset_piece;

/* Converts as many characters of the text, which is valid UTF-8 and not empty, as come to `limit` together, by themselves:
 * the piece begins and ends in ASCII. limit is such that one character goes in: see SS_CHARSET_WIDEST. */
void ss_charset_take(const ss_charset *c, const uint8_t *p, size_t n, ss_charset_width width, size_t limit,
                     ss_charset_piece *piece);

/* Most bytes of one character with its shifts (ISO-2022-JP-3: four, two, three). */
enum { SS_CHARSET_WIDEST = 9 };

#endif
