/* wipe: see wipe.h. */
#include "base/wipe.h"

#include <openssl/crypto.h>
#include <stdlib.h>

void ss_wipe(void *p, size_t n)
{
  if (n) OPENSSL_cleanse(p, n);
}

void ss_wipe_free(void *p, size_t n)
{
  if (!p) return;
  ss_wipe(p, n);
  free(p);
}
