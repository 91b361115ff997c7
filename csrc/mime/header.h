/* header: writes one header field, folded (RFC 5322 section 2.2.3).
 *
 * Tokens are added from left to right. A line is folded before 77 columns, so that a line with an encoded word keeps the
 * 76 of RFC 2047 and every other one the 78 of RFC 5322, wherever a space allows it; what has no space stays whole. No
 * token may be longer than SS_HEADER_LONGEST, so that no line ever passes 998 octets: who makes tokens out of a user's
 * value checks that. Values are UTF-8 without controls, checked before, and so is that they can be written in the charset
 * where there is one: nothing is refused here. */
#ifndef SS_HEADER_H
#define SS_HEADER_H

#include "base/buf.h"
#include "mime/charset.h"

/* Column that no line passes; longest token. */
enum { SS_HEADER_WIDTH = 76, SS_HEADER_LONGEST = 900 };

/* A field that is being written. */
typedef struct ss_header {
  ss_buf *to;
  size_t column;             /* of the line begun */
  bool begun;                /* something follows the name */
  const ss_charset *charset; /* of encoded text; NULL, as ss_header_begin makes it, for UTF-8 */
  ss_status
      status; /* SS_OK, or why nothing is written any more: SS_E_FULL, SS_E_MEMORY, SS_E_ARGUMENT (the charset) */
} ss_header;

/* Begins a field at the end of `to`. The name leaves room for an encoded word on its line. */
void ss_header_begin(ss_header *h, ss_buf *to, const char *name, size_t n);

/* Adds a token after a blank, folding before it where the line would be too long. The first token stays on the line of
 * the field's name: some readers stumble over a first line without a value. */
void ss_header_token(ss_header *h, const char *s, size_t n);

/* Adds unstructured text, such as a subject. Blanks arrive as they were typed: those that readers strip or lose are
 * encoded with the word beside them, which are those at an end, next to an encoded word, and several at a fold. */
void ss_header_text(ss_header *h, const char *s, size_t n);

/* Adds a display name: as atoms, in quotes, or encoded (RFC 5322 section 3.2.5). */
void ss_header_phrase(ss_header *h, const char *s, size_t n);

/* Adds a mailbox: its display name, if there is one, its address, and what comes behind it: "", "," where more follow, ";"
 * where it is the last of a group, or ";,". */
void ss_header_mailbox(ss_header *h, const char *name, size_t name_n, const char *address, size_t n,
                       const char *after);

/* Adds the name of a group (RFC 5322 section 3.4) and its colon; its mailboxes follow. Of an empty group, `after` is ";" or
 * ";,", else "". */
void ss_header_group(ss_header *h, const char *name, size_t n, const char *after);

/* Adds a parameter (RFC 2045 section 5.1): a token, a quoted string, or the form of RFC 2231 where the value is not
 * ASCII, is long, or holds what readers get wrong in quotes. */
void ss_header_parameter(ss_header *h, const char *name, size_t name_n, const char *value, size_t n);

/* Ends the field with its CRLF: SS_OK when all of it was written. */
ss_status ss_header_end(ss_header *h);

#endif
