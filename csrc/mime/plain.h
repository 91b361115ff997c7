/* plain: a message that needs no tree of parts, written piece by piece as it is read: the fields of its header, and short
 * texts that every server takes in the same encoding.
 *
 * What is unusual or wrong is not written, and said to be not plain, without a reason: those who write a message part by
 * part have to see to it. Then what was written so far is of no use. */
#ifndef SS_PLAIN_H
#define SS_PLAIN_H

#include "mime/header.h"

typedef struct ss_plain {
  ss_buf whole, name; /* the message so far; the display name that was read last */
  ss_header people;   /* the field with mailboxes that is being written */
  bool shown;         /* and whether it is */
} ss_plain;

/* An address in the string that it was read from, and how long the display name before it is. */
typedef struct ss_plain_box {
  const char *spec;
  size_t n, name_n;
} ss_plain_box;

/* What the header of a part says of it, before its encoding and behind. */
typedef struct ss_plain_shape {
  const char *before, *behind;
  size_t before_n, behind_n;
} ss_plain_shape;

void ss_plain_init(ss_plain *p);
void ss_plain_free(ss_plain *p);

/* Begins a message. */
void ss_plain_begin(ss_plain *p);

/* Whether the whole is no longer than it may be. */
bool ss_plain_fits(const ss_plain *p);

/* Each writes what it is given, or says that it cannot. */

bool ss_plain_put(ss_plain *p, const char *s, size_t n);

/* A field of one token; a field of unstructured text. */
bool ss_plain_token(ss_plain *p, const char *field, const char *s, size_t n);
bool ss_plain_field(ss_plain *p, const char *field, const char *s, size_t n);

/* A field of mailboxes: what begins it, NULL where it is not to be seen; each string of them; what ends it. */
void ss_plain_begin_people(ss_plain *p, const char *field);
bool ss_plain_look(const char *s, size_t n); /* whether the string may stand in a header at all */

/* Reads the mailbox behind *at, which then is behind its comma, or past the end. Its address is judged by the caller
 * (smtp/mailbox.h), who then has it written; `more` follow. */
bool ss_plain_read(ss_plain *p, const char *s, size_t n, size_t *at, ss_plain_box *box);
void ss_plain_show(ss_plain *p, const ss_plain_box *box, bool more);
bool ss_plain_end_people(ss_plain *p);

/* A text with the header of its part; what stands between two of them, or behind the last. */
bool ss_plain_text(ss_plain *p, const ss_plain_shape *shape, const char *s, size_t n);
bool ss_plain_delimiter(ss_plain *p, const char *boundary, size_t n, bool last);

/* Ends the message's last line, where it has no end. */
bool ss_plain_end_line(ss_plain *p);

#endif
