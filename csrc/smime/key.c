/* key: see key.h. */
#include "smime/key.h"
#include "base/pem.h"
#include "smime/certificate.h"

#include <openssl/err.h>
#include <openssl/x509.h>

/* Why there is no key. */
static const char *explain(const ss_password_prompt *prompt)
{
  if (!prompt->asked) return "key: holds no private key in PEM (\"-----BEGIN PRIVATE KEY-----\")";
  return prompt->password ? "key_password: does not open the key"
                          : "key: is encrypted, and there is no key_password";
}

EVP_PKEY *ss_smime_key_read(const ss_smime_secret *secret, const ss_certificates *owner, ss_error *e)
{
  ERR_clear_error();
  ss_password_prompt prompt = {.password = secret->password};
  EVP_PKEY *key = ss_pem_key(secret->pem, secret->length, &prompt);
  if (!key) ss_fail(e, SS_E_ARGUMENT, "%s", explain(&prompt));
  if (key && !X509_check_private_key(ss_certificates_own(owner), key)) {
    ss_fail(e, SS_E_ARGUMENT, "key: does not fit cert");
    EVP_PKEY_free(key);
    key = NULL;
  }
  ERR_clear_error();
  return key;
}
