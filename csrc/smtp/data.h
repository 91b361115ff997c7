/* data: a message on its way through DATA (RFC 5321 section 4.5.2) or BDAT (RFC 3030 section 2), exact wherever the caller
 * cut its pieces, and the same message either way.
 *
 * Two things happen here and nowhere else: CR and LF leave only as CRLF, whatever came in (a bare one is what SMTP
 * smuggling is made of: section 2.3.8), and with DATA a dot that begins a line is doubled. A message that was declared
 * binary (RFC 3030 section 3) passes as it is: nothing in it is a line end to the server, which counts its octets, and one
 * that hands it on by lines has to encode it first. */
#ifndef SS_DATA_H
#define SS_DATA_H

#include "base/buf.h"

typedef struct ss_data {
  bool dotted;    /* dots are doubled */
  bool binary;    /* nothing is changed; by BDAT only */
  bool after_cr;  /* the last byte in was a CR whose LF was already written */
  bool line_open; /* something was written since the last CRLF */
} ss_data;

void ss_data_begin(ss_data *d, bool dotted);

/* Most bytes that n more could become. */
static inline size_t ss_data_bound(size_t n)
{
  return 2 * n;
}

/* Appends the encoding of n bytes. SS_OK; SS_E_FULL when `to` has not ss_data_bound(n) of room; SS_E_ARGUMENT when a NUL
 * is among them; SS_E_MEMORY. Nothing is written unless SS_OK. */
ss_status ss_data_write(ss_data *d, ss_buf *to, const void *p, size_t n);

/* Appends the end: a CRLF where the last line lacks it, and the lone dot. SS_OK, SS_E_FULL or SS_E_MEMORY. */
ss_status ss_data_end(ss_data *d, ss_buf *to);

/* Appends a BDAT command with n more bytes, encoded: the last one, if `last`, with a CRLF where the last line lacks it. As
 * ss_data_write. Those of a binary message may be anything. */
ss_status ss_data_chunk(ss_data *d, ss_buf *to, const void *p, size_t n, bool last);

#endif
