/* certificate: see certificate.h. */
#include "smime/certificate.h"
#include "base/openssl_error.h"
#include "base/pem.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <time.h>

/* RFC 8551 sections 4.2 to 4.4. */
enum { RSA_BITS = 2048, EC_BITS = 256 };

/* What the key usage must allow, any one of them, where the certificate has one; RFC 8550 section 4.4.2. */
static const struct {
  const char *name;
  uint32_t rsa, ec;
} purposes[] = {
    [SS_SMIME_SIGNING] = {"signing", KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION,
                          KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION},
    [SS_SMIME_ENCRYPTION] = {"encryption", KU_KEY_ENCIPHERMENT, KU_KEY_AGREEMENT},
};

void ss_certificates_free(ss_certificates *certificates)
{
  sk_X509_pop_free(certificates, X509_free);
}

X509 *ss_certificates_own(const ss_certificates *certificates)
{
  return sk_X509_value(certificates, 0);
}

bool ss_certificates_name(const ss_certificates *certificates, const char *address, size_t n)
{
  bool named = n && X509_check_email(ss_certificates_own(certificates), address, n, 0) == 1;
  ERR_clear_error();
  return named;
}

/* ---- reading ------------------------------------------------------------------------------------------------- */

static ss_status unreadable(ss_error *e)
{
  char words[SS_ERROR_REASON];
  ss_openssl_words(words, sizeof words);
  return ss_fail(e, SS_E_ARGUMENT, "holds a certificate that cannot be read: %s", words);
}

/* Private keys and other blocks are passed over, and none is ever decrypted. */
static ss_status read_all(BIO *in, ss_certificates *to, ss_error *e)
{
  ERR_clear_error();
  for (X509 *one; (one = PEM_read_bio_X509(in, NULL, ss_password_give, NULL)) != NULL;) {
    if (sk_X509_push(to, one)) continue;
    X509_free(one);
    return ss_fail(e, SS_E_MEMORY, "out of memory");
  }
  unsigned long last = ERR_peek_last_error();
  if (ERR_GET_LIB(last) != ERR_LIB_PEM || ERR_GET_REASON(last) != PEM_R_NO_START_LINE) return unreadable(e);
  ERR_clear_error();
  if (sk_X509_num(to) > 0) return SS_OK;
  return ss_fail(e, SS_E_ARGUMENT, "holds no certificate in PEM (\"-----BEGIN CERTIFICATE-----\")");
}

/* ---- judging ------------------------------------------------------------------------------------------------- */

static ss_status check_time(X509 *one, ss_error *e)
{
  const ASN1_TIME *from = X509_get0_notBefore(one), *to = X509_get0_notAfter(one);
  int side = X509_cmp_timeframe(NULL, from, to);
  struct tm when;
  char day[16] = "";
  if (side == 0) return SS_OK;
  if (ASN1_TIME_to_tm(side > 0 ? to : from, &when)) strftime(day, sizeof day, "%Y-%m-%d", &when);
  return ss_fail(e, SS_E_ARGUMENT, side > 0 ? "has expired: it was valid until %s" : "is not valid before %s",
                 day);
}

/* Sets *ec. */
static ss_status check_key(X509 *one, bool *ec, ss_error *e)
{
  const EVP_PKEY *key = X509_get0_pubkey(one);
  bool rsa = key && EVP_PKEY_is_a(key, "RSA");
  *ec = key && EVP_PKEY_is_a(key, "EC");
  ERR_clear_error();
  if (!rsa && !*ec)
    return ss_fail(e, SS_E_ARGUMENT, "has neither an RSA nor an EC key, and few readers know another");
  int bits = EVP_PKEY_get_bits(key), least = rsa ? RSA_BITS : EC_BITS;
  if (bits >= least) return SS_OK;
  return ss_fail(e, SS_E_ARGUMENT, "has a key of %d bits, less than %d", bits, least);
}

static ss_status check_purpose(X509 *one, ss_smime_purpose purpose, ss_error *e)
{
  bool ec;
  ss_status status = check_key(one, &ec, e);
  if (status != SS_OK) return status;
  uint32_t usage = X509_get_key_usage(one), extended = X509_get_extended_key_usage(one);
  if (X509_get_extension_flags(one) & EXFLAG_INVALID)
    return ss_fail(e, SS_E_ARGUMENT, "has extensions that cannot be read");
  if (!(usage & (ec ? purposes[purpose].ec : purposes[purpose].rsa)))
    return ss_fail(e, SS_E_ARGUMENT, "is not for %s: its key usage says otherwise", purposes[purpose].name);
  if (!(extended & (XKU_SMIME | XKU_ANYEKU)))
    return ss_fail(e, SS_E_ARGUMENT, "is not for mail: its extended key usage has no emailProtection");
  return SS_OK;
}

static ss_status check(const ss_certificates *all, ss_smime_purpose purpose, ss_error *e)
{
  ss_status status = SS_OK;
  for (int i = 0; status == SS_OK && i < sk_X509_num(all); i++)
    status = check_time(sk_X509_value(all, i), e);
  if (status == SS_OK && purpose != SS_SMIME_CHAIN)
    status = check_purpose(ss_certificates_own(all), purpose, e);
  return status;
}

ss_certificates *ss_certificates_read(const char *pem, size_t n, ss_smime_purpose purpose, ss_error *e)
{
  ss_certificates *all = sk_X509_new_null();
  BIO *in = n <= INT_MAX ? BIO_new_mem_buf(pem, (int)n) : NULL;
  ss_status status = all && in ? read_all(in, all, e) : ss_fail(e, SS_E_MEMORY, "out of memory");
  if (status == SS_OK) status = check(all, purpose, e);
  BIO_free(in);
  ERR_clear_error();
  if (status == SS_OK) return all;
  ss_certificates_free(all);
  return NULL;
}
