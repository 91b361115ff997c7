/* scan: what a body is made of, learnt in one pass over its bytes in pieces of any size, so that a transfer encoding
 * can be chosen (RFC 2045 section 6) and a finished message can be refused before it is sent. It judges nothing. */
#ifndef SS_SCAN_H
#define SS_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All zero is the beginning. */
typedef struct ss_scan {
  uint64_t size;      /* octets seen */
  uint64_t canonical; /* octets once every line end (CR, LF or CRLF) is CRLF */
  uint64_t longest;   /* octets in the longest line, its end not counted */
  uint64_t escapes;   /* octets that quoted-printable would have to escape */
  bool eight_bit;     /* an octet above 127 */
  bool nul;           /* an octet 0 */
  bool marred;        /* a blank before a line end, or "From " at the start of a line */
  bool open;          /* the last line has no line end */

  uint64_t line; /* octets in the line begun */
  uint8_t last;  /* the last octet */
  uint8_t from;  /* how much of "From " the line begun consists of */
} ss_scan;

/* Looks at n more octets. Every field is then true of what was seen so far. */
void ss_scan_update(ss_scan *s, const uint8_t *p, size_t n);

/* Whether what was seen, if nothing follows, holds what relays are known to alter: a blank at the end of a line, or
 * "From " at the start of one. */
bool ss_scan_fragile(const ss_scan *s);

#endif
