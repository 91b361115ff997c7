/* sign: what a signature costs at least: OpenSSL's own hash of a message and its signature, as DKIM makes them (RFC 6376,
 * RFC 8463), and nothing else.
 *
 * sign key=PEM size=BYTES mails=N */
#include "common.h"

#include <openssl/evp.h>
#include <openssl/pem.h>

static EVP_PKEY *read_key(const char *path)
{
  FILE *f = fopen(path, "r");
  EVP_PKEY *key = f ? PEM_read_PrivateKey(f, NULL, NULL, NULL) : NULL;
  if (!key) fail("key=PEM");
  fclose(f);
  return key;
}

static void sign(EVP_PKEY *key, const unsigned char *bytes, size_t n)
{
  unsigned char digest[32], signature[1024];
  size_t length = sizeof signature;
  int rsa = EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA;
  EVP_MD_CTX *context = EVP_MD_CTX_new();
  if (EVP_DigestSignInit(context, NULL, rsa ? EVP_sha256() : NULL, NULL, key) != 1)
    fail("EVP_DigestSignInit");
  if (!rsa && EVP_Digest(bytes, n, digest, NULL, EVP_sha256(), NULL) != 1) fail("EVP_Digest");
  if (EVP_DigestSign(context, signature, &length, rsa ? bytes : digest, rsa ? n : sizeof digest) != 1)
    fail("EVP_DigestSign");
  EVP_MD_CTX_free(context);
}

int main(int argc, char **argv)
{
  (void)argc;
  bench_arguments = argv;
  EVP_PKEY *key = read_key(setting("key", ""));
  size_t n = (size_t)number("size", 2000);
  long mails = number("mails", 1000);
  unsigned char *bytes = malloc(n);
  if (!bytes) fail("memory");
  memset(bytes, 'a', n);
  for (long i = 0; i < mails / 10 + 1; i++)
    sign(key, bytes, n);
  double before = cpu();
  for (long i = 0; i < mails; i++)
    sign(key, bytes, n);
  printf("mails=%ld cpu=%.6f\n", mails, cpu() - before);
  free(bytes);
  EVP_PKEY_free(key);
}
