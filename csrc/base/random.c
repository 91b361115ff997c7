/* random: see random.h. */
#include "base/random.h"
#include "base/wipe.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

bool ss_random(void *p, size_t n)
{
  bool filled = n <= INT_MAX && RAND_bytes(p, (int)n) == 1;
  if (!filled) ERR_clear_error(); /* the queue is the process's */
  return filled;
}

/* In a page of its own, which a fork leaves zeroed for the child where the system can do that: all zero is empty. Where
 * it cannot, the process is asked for at each draw. */
struct ss_random_pool {
  size_t left;  /* how many of the bytes, at the end, are still to be given out */
  pid_t owner;  /* who filled it */
  bool guarded; /* and nobody else can find it filled */
  uint8_t bytes[16 * SS_RANDOM_DRAW];
};

static bool guard(ss_random_pool *pool)
{
#ifdef MADV_WIPEONFORK
  return madvise(pool, sizeof *pool, MADV_WIPEONFORK) == 0;
#else
  (void)pool;
  return false;
#endif
}

ss_random_pool *ss_random_pool_new(void)
{
  void *page = mmap(NULL, sizeof(ss_random_pool), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return page == MAP_FAILED ? NULL : page;
}

void ss_random_pool_free(ss_random_pool *pool)
{
  if (!pool) return;
  ss_wipe(pool, sizeof *pool);
  munmap(pool, sizeof *pool);
}

static bool is_ours(const ss_random_pool *pool)
{
  return pool->guarded || pool->owner == getpid();
}

bool ss_random_draw(ss_random_pool *pool, void *p, size_t n)
{
  if (n > SS_RANDOM_DRAW) return false;
  if (pool->left < n || !is_ours(pool)) {
    pool->left = 0;
    if (!ss_random(pool->bytes, sizeof pool->bytes)) return false;
    pool->left = sizeof pool->bytes;
    pool->owner = getpid();
    pool->guarded = guard(pool);
  }
  uint8_t *from = pool->bytes + sizeof pool->bytes - pool->left;
  memcpy(p, from, n);
  ss_wipe(from, n);
  pool->left -= n;
  return true;
}
