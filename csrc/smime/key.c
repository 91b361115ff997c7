/* key: see key.h. */
#include "smime/key.h"
#include "smime/certificate.h"
#include "tls/password.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

/* Why there is no key. OpenSSL's words would be about the encoding, not about what is wrong. */
static void explain(const ss_password_prompt *prompt, ss_error *e)
{
  if (prompt->asked && !prompt->password)
    ss_fail(e, SS_E_ARGUMENT, "key: is encrypted, and there is no key_password");
  else if (prompt->asked)
    ss_fail(e, SS_E_ARGUMENT, "key_password: does not open the key");
  else
    ss_fail(e, SS_E_ARGUMENT, "key: holds no private key in PEM (\"-----BEGIN PRIVATE KEY-----\")");
}

static EVP_PKEY *read_pem(const ss_smime_secret *secret, ss_error *e)
{
  ss_password_prompt prompt = {.password = secret->password};
  BIO *in = secret->length <= INT_MAX ? BIO_new_mem_buf(secret->pem, (int)secret->length) : NULL;
  EVP_PKEY *key = in ? PEM_read_bio_PrivateKey(in, NULL, ss_password_give, &prompt) : NULL;
  if (!in)
    ss_fail(e, SS_E_MEMORY, "key: out of memory");
  else if (!key)
    explain(&prompt, e);
  BIO_free(in);
  return key;
}

EVP_PKEY *ss_smime_key_read(const ss_smime_secret *secret, const ss_certificates *owner, ss_error *e)
{
  ERR_clear_error();
  EVP_PKEY *key = read_pem(secret, e);
  if (key && !X509_check_private_key(ss_certificates_own(owner), key)) {
    ss_fail(e, SS_E_ARGUMENT, "key: does not fit cert");
    EVP_PKEY_free(key);
    key = NULL;
  }
  ERR_clear_error();
  return key;
}
