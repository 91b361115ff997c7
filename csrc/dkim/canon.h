/* canon: the canonical forms of a message that DKIM signs (RFC 6376 section 3.4).
 *
 * Of a body it makes a stream, exact however its bytes are cut into pieces: what must not go out yet (blanks, line ends,
 * half a line end) is counted, not kept, so a body of nothing but empty lines costs no memory. Of a header it picks the
 * fields to sign. Hashing is not here, and no OpenSSL. */
#ifndef SS_DKIM_CANON_H
#define SS_DKIM_CANON_H

#include "base/buf.h"

/* Takes canonical bytes. */
typedef void (*ss_dkim_sink)(void *to, const uint8_t *p, size_t n);

/* A body on its way: all zero is one of the simple form that has not begun. */
typedef struct ss_dkim_body {
  bool relaxed;
  bool cr;         /* a CR came, of which it is not known whether a LF follows */
  bool blank;      /* blanks came, of which it is not known whether the line ends behind them */
  bool any;        /* something but empty lines went out */
  uint64_t breaks; /* line ends that were held back: empty lines at the end of a body do not count */
} ss_dkim_body;

/* Takes n more bytes of the body, and hands on what is settled. */
void ss_dkim_body_update(ss_dkim_body *b, const uint8_t *p, size_t n, ss_dkim_sink sink, void *to);

/* The body is over: hands on the rest. */
void ss_dkim_body_finish(ss_dkim_body *b, ss_dkim_sink sink, void *to);

/* How many fields of a name are signed, and how often it is named (RFC 6376 section 5.4.2). */
typedef enum ss_dkim_pick {
  SS_DKIM_ONCE,   /* the next one from the bottom; named also where there is none */
  SS_DKIM_EVERY,  /* each that is there, named so often */
  SS_DKIM_SEALED, /* each that is there, named once more where there is one: no other can be added */
  SS_DKIM_CLOSED  /* each that is there, named once more: none can be added */
} ss_dkim_pick;

typedef struct ss_dkim_name {
  const char *name;
  size_t n;
  ss_dkim_pick pick;
} ss_dkim_name;

/* Appends a header field (its name, colon, value and line end) in its canonical form, line end included. SS_OK, SS_E_FULL
 * or SS_E_MEMORY. */
ss_status ss_dkim_field(const uint8_t *p, size_t n, bool relaxed, ss_buf *to);

/* Of the n bytes of a header section, appends to `fields` the canonical form of those that `names` pick, in the order of
 * the names, and to `list` the value of the h= tag that says so, folded behind its colons where it begins in column 3. SS_OK, SS_E_FULL or SS_E_MEMORY. */
ss_status ss_dkim_pick_fields(const uint8_t *p, size_t n, const ss_dkim_name *names, size_t count,
                              bool relaxed, ss_buf *fields, ss_buf *list);

#endif
