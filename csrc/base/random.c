/* random: see random.h. */
#include "base/random.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/rand.h>

bool ss_random(void *p, size_t n)
{
  bool filled = n <= INT_MAX && RAND_bytes(p, (int)n) == 1;
  if (!filled) ERR_clear_error(); /* the queue is the process's */
  return filled;
}
