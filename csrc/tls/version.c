/* version: see version.h. */
#include "tls/version.h"

#include <openssl/crypto.h>
#include <openssl/opensslv.h>
#include <stddef.h>

const char *ss_openssl_running(void)
{
  return OpenSSL_version(OPENSSL_VERSION);
}

int ss_openssl_built(void)
{
  return (int)(OPENSSL_VERSION_NUMBER >> 28);
}

const char *ss_openssl_mismatch(void)
{
  return (int)(OpenSSL_version_num() >> 28) == ss_openssl_built() ? NULL : ss_openssl_running();
}
