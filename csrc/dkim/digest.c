/* digest: see digest.h. */
#include "dkim/digest.h"

#include <openssl/err.h>
#include <openssl/evp.h>

static void feed(void *to, const uint8_t *p, size_t n)
{
  ss_dkim_hash *h = to;
  if (EVP_DigestUpdate(h->context, p, n) != 1) h->failed = true;
}

ss_status ss_dkim_hash_begin(ss_dkim_hash *h, bool relaxed)
{
  *h = (ss_dkim_hash){.body.relaxed = relaxed, .context = EVP_MD_CTX_new()};
  if (h->context && EVP_DigestInit_ex(h->context, EVP_sha256(), NULL) == 1) return SS_OK;
  ERR_clear_error();
  ss_dkim_hash_close(h);
  return SS_E_MEMORY;
}

void ss_dkim_hash_update(ss_dkim_hash *h, const uint8_t *p, size_t n)
{
  ss_dkim_body_update(&h->body, p, n, feed, h);
}

ss_status ss_dkim_hash_finish(ss_dkim_hash *h, uint8_t digest[SS_DKIM_DIGEST])
{
  ss_dkim_body_finish(&h->body, feed, h);
  bool done = !h->failed && EVP_DigestFinal_ex(h->context, digest, NULL) == 1;
  ERR_clear_error();
  ss_dkim_hash_close(h);
  return done ? SS_OK : SS_E_INTERNAL;
}

void ss_dkim_hash_close(ss_dkim_hash *h)
{
  EVP_MD_CTX_free(h->context);
  h->context = NULL;
}
