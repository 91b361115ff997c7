/* random: see random.h. */
#include "base/random.h"

#include <limits.h>
#include <openssl/rand.h>

bool ss_random(void *p, size_t n)
{
  return n <= INT_MAX && RAND_bytes(p, (int)n) == 1;
}
