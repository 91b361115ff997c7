/* reply: reads replies (RFC 5321 section 4.2) out of a stream of bytes that a hostile peer may choose.
 *
 * A reply counts only whole: every line ended by CRLF, the same code on all of them, the last one marked as last. What
 * a code means is not known here; which command it answers is the queue's business. */
#ifndef SS_REPLY_H
#define SS_REPLY_H

#include "base/buf.h"

/* RFC 5321 section 4.5.3.1.5 gives a line 512 octets; servers send longer ones, so there is room, but an end. */
enum { SS_REPLY_LINE = 4096, SS_REPLY_LINES = 128, SS_REPLY_TOTAL = 65536 };

typedef struct ss_reply {
  int code;          /* 200 to 559 */
  char enhanced[12]; /* RFC 3463 ("5.7.1"), or "" */
  const char *text;  /* the lines without codes, '\n' between them; valid until the reader is used again */
  size_t length;
} ss_reply;

typedef struct ss_reply_reader {
  ss_buf text;
  size_t scanned; /* how much of the unfinished line is known to hold no LF */
  unsigned lines;
  int code; /* of the lines so far; 0 before the first */
  char enhanced[12];
} ss_reply_reader;

void ss_reply_reader_init(ss_reply_reader *r);
void ss_reply_reader_free(ss_reply_reader *r);

/* Takes bytes from the front of `in` until one reply is whole: SS_OK, *reply filled, and what follows it still in `in`.
 * SS_AGAIN: more bytes are needed (`in` may hold the beginning of a line). SS_E_PROTOCOL, SS_E_LIMIT or SS_E_MEMORY with
 * `e` set: the stream cannot be trusted any further. */
ss_status ss_reply_read(ss_reply_reader *r, ss_buf *in, ss_reply *reply, ss_error *e);

/* Whether a reply has begun and is not whole yet. */
bool ss_reply_unfinished(const ss_reply_reader *r, const ss_buf *in);

#endif
