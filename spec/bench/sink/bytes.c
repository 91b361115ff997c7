/* bytes: see sink.h. */
#include "sink.h"

#include <stdlib.h>
#include <string.h>

char *bytes_room(bytes *b, size_t n)
{
  if (b->begin > 0 && b->size - b->end < n) {
    memmove(b->base, b->base + b->begin, b->end - b->begin);
    b->end -= b->begin;
    b->begin = 0;
  }
  if (b->size - b->end < n) {
    b->size = (b->end + n) * 2;
    b->base = realloc(b->base, b->size);
    if (!b->base) sink_die("memory");
  }
  return b->base + b->end;
}

void bytes_grew(bytes *b, size_t n)
{
  b->end += n;
}

void bytes_add(bytes *b, const void *from, size_t n)
{
  if (n == 0) return;
  memcpy(bytes_room(b, n), from, n);
  b->end += n;
}

void bytes_drop(bytes *b, size_t n)
{
  b->begin += n;
  if (b->begin == b->end) b->begin = b->end = 0;
}

void bytes_free(bytes *b)
{
  free(b->base);
  *b = (bytes){0};
}
