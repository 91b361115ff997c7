/* buf: see buf.h. */
#include "base/buf.h"
#include "base/wipe.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_SIZE = 512 };

void ss_buf_init(ss_buf *b, size_t cap)
{
  *b = (ss_buf){.cap = cap};
}

void ss_buf_free(ss_buf *b)
{
  ss_wipe_free(b->base, b->size);
  ss_buf_init(b, b->cap);
}

/* realloc would leave the old bytes behind in the heap, so growing is done by hand. */
static bool grow(ss_buf *b, size_t need)
{
  size_t size = b->size ? b->size : FIRST_SIZE;
  while (size < need)
    size = size > SIZE_MAX / 2 ? need : size * 2;
  uint8_t *base = malloc(size);
  if (!base) return false;
  size_t len = ss_buf_len(b);
  if (len) memcpy(base, b->base + b->start, len);
  ss_wipe_free(b->base, b->size);
  b->base = base;
  b->size = size;
  b->start = 0;
  b->end = len;
  return true;
}

static void slide(ss_buf *b)
{
  size_t len = ss_buf_len(b);
  memmove(b->base, b->base + b->start, len);
  if (b->secret) ss_wipe(b->base + len, b->start);
  b->start = 0;
  b->end = len;
}

uint8_t *ss_buf_reserve(ss_buf *b, size_t n)
{
  if (n > ss_buf_room(b)) return NULL;
  if (b->base && b->size - b->end >= n) return b->base + b->end;
  size_t need = ss_buf_len(b) + n;
  /* Slide only when that frees at least half, so that a long queue is not moved again and again. */
  if (b->base && need <= b->size && b->start >= b->size / 2)
    slide(b);
  else if (!grow(b, need + ss_buf_len(b) / 2))
    return NULL;
  return b->base + b->end;
}

void ss_buf_commit(ss_buf *b, size_t n)
{
  b->end += n;
}

ss_status ss_buf_append_more(ss_buf *b, const void *p, size_t n)
{
  if (n > ss_buf_room(b)) return SS_E_FULL;
  uint8_t *to = ss_buf_reserve(b, n);
  if (!to) return SS_E_MEMORY;
  memcpy(to, p, n);
  b->end += n;
  return SS_OK;
}

ss_status ss_buf_puts(ss_buf *b, const char *s)
{
  return ss_buf_append(b, s, strlen(s));
}

void ss_buf_consume(ss_buf *b, size_t n)
{
  b->start += n;
  if (b->start == b->end) ss_buf_clear(b);
}

void ss_buf_cut(ss_buf *b, size_t n)
{
  size_t end = b->start + n;
  if (b->secret) ss_wipe(b->base + end, b->end - end);
  b->end = end;
}

void ss_buf_clear(ss_buf *b)
{
  if (b->secret) ss_wipe(b->base, b->end);
  b->secret = false;
  b->start = b->end = 0;
}

void ss_buf_mark_secret(ss_buf *b)
{
  b->secret = true;
}
