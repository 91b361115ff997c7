/* pem: see pem.h. */
#include "base/pem.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>

int ss_password_give(char *to, int size, int writing, void *userdata)
{
  (void)writing;
  ss_password_prompt *prompt = userdata;
  if (prompt) prompt->asked = true;
  size_t n = prompt && prompt->password ? strlen(prompt->password) : 0;
  if (n == 0 || n > (size_t)size) return -1;
  memcpy(to, prompt->password, n);
  return (int)n;
}

EVP_PKEY *ss_pem_key(const char *pem, size_t n, ss_password_prompt *prompt)
{
  BIO *in = n <= INT_MAX ? BIO_new_mem_buf(pem, (int)n) : NULL;
  EVP_PKEY *key = in ? PEM_read_bio_PrivateKey(in, NULL, ss_password_give, prompt) : NULL;
  BIO_free(in);
  ERR_clear_error();
  return key;
}
