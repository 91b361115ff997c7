/* buf: a queue of bytes with a cap that it is born with.
 *
 * Written at the end, read and consumed at the front. It never grows beyond its cap, so nothing a peer sends can grow
 * memory without bound; it wipes what it gives back, so nothing that passed through it stays behind in the heap. */
#ifndef SS_BUF_H
#define SS_BUF_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct ss_buf {
  uint8_t *base;
  size_t start, end, size; /* live bytes are [start, end) of the `size` allocated */
  size_t cap;              /* most live bytes it may hold */
  bool secret;             /* wipe what was consumed as soon as the buffer runs empty */
} ss_buf;

/* Makes an empty buffer that may hold up to `cap` bytes. Allocates nothing, cannot fail. */
void ss_buf_init(ss_buf *b, size_t cap);

/* Wipes and frees. The buffer is then as after ss_buf_init with the same cap. */
void ss_buf_free(ss_buf *b);

static inline size_t ss_buf_len(const ss_buf *b)
{
  return b->end - b->start;
}

/* How many bytes may still be added before the cap. */
static inline size_t ss_buf_room(const ss_buf *b)
{
  return b->cap - ss_buf_len(b);
}

/* The live bytes, ss_buf_len of them; valid until the next call that writes or frees. NULL when nothing was ever
 * written. */
static inline const uint8_t *ss_buf_data(const ss_buf *b)
{
  return b->base ? b->base + b->start : NULL;
}

/* Makes room for n more bytes and lends the place to write them, or NULL: SS_E_FULL by ss_buf_room, else no memory.
 * Nothing is live before ss_buf_commit. */
uint8_t *ss_buf_reserve(ss_buf *b, size_t n);

/* Declares that n of the reserved bytes were written. */
void ss_buf_commit(ss_buf *b, size_t n);

/* Copies n bytes in, for which there is no room yet; see ss_buf_append. */
ss_status ss_buf_append_more(ss_buf *b, const void *p, size_t n);

/* Copies n bytes in: SS_OK, SS_E_FULL or SS_E_MEMORY; all of them or none. */
static inline ss_status ss_buf_append(ss_buf *b, const void *p, size_t n)
{
  if (n == 0) return SS_OK;
  if (n > b->size - b->end || n > ss_buf_room(b)) return ss_buf_append_more(b, p, n);
  memcpy(b->base + b->end, p, n);
  b->end += n;
  return SS_OK;
}

ss_status ss_buf_puts(ss_buf *b, const char *s);

/* Drops n bytes (at most ss_buf_len) from the front. */
void ss_buf_consume(ss_buf *b, size_t n);

/* Keeps only the first n live bytes: undoes what was appended since there were n. */
void ss_buf_cut(ss_buf *b, size_t n);

/* Drops everything; the memory is kept for the next use. */
void ss_buf_clear(ss_buf *b);

/* What passes through now is secret: it is wiped when the buffer next runs empty. */
void ss_buf_mark_secret(ss_buf *b);

#endif
