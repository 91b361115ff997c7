/* cms: see cms.h. */
#include "smime/cms.h"
#include "base/openssl_error.h"
#include "smime/certificate.h"

#include <limits.h>
#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdlib.h>

/* PARTIAL: the bytes come later; BINARY: OpenSSL does not mend their line ends. */
enum { FLAGS = CMS_PARTIAL | CMS_BINARY };

struct ss_cms {
  CMS_ContentInfo *info;
  BIO *in;     /* where the bytes go, from the first of them on */
  size_t room; /* how many may still come */
  const char *hash;
  uint8_t *der;
};

/* Where OpenSSL gives no reason, memory is what it lacked. */
static ss_status wrong(ss_error *e, const char *what)
{
  char words[SS_ERROR_REASON];
  if (!ERR_peek_error()) return ss_fail(e, SS_E_MEMORY, "%s: out of memory", what);
  ss_openssl_words(words, sizeof words);
  return ss_fail(e, SS_E_INTERNAL, "%s: %s", what, words);
}

static ss_cms *new_cms(CMS_ContentInfo *info, size_t room)
{
  ss_cms *cms = info ? malloc(sizeof *cms) : NULL;
  if (cms)
    *cms = (ss_cms){.info = info, .room = room};
  else
    CMS_ContentInfo_free(info);
  return cms;
}

/* What it was made with. */
static void release(ss_cms *cms)
{
  BIO_free_all(cms->in);
  CMS_ContentInfo_free(cms->info);
  cms->in = NULL;
  cms->info = NULL;
}

void ss_cms_free(ss_cms *cms)
{
  if (!cms) return;
  release(cms);
  OPENSSL_free(cms->der);
  free(cms);
}

/* ---- signing ------------------------------------------------------------------------------------------------- */

/* RFC 8551 section 2.1: a hash as strong as the key; every reader knows these. */
static const struct {
  int bits; /* of an EC key, at the most */
  const char *name, *micalg;
} hashes[] = {{256, "SHA256", "sha-256"}, {384, "SHA384", "sha-384"}, {INT_MAX, "SHA512", "sha-512"}};

static size_t hash_for(const EVP_PKEY *key)
{
  size_t i = 0;
  while (EVP_PKEY_is_a(key, "EC") && EVP_PKEY_get_bits(key) > hashes[i].bits)
    i++;
  return i;
}

/* What answers may be encrypted with. OpenSSL's own list still has ciphers of forty bits in it. */
static bool add_capabilities(CMS_SignerInfo *signer)
{
  STACK_OF(X509_ALGOR) *list = NULL;
  bool added = CMS_add_simple_smimecap(&list, NID_aes_256_cbc, -1) &&
               CMS_add_simple_smimecap(&list, NID_aes_128_cbc, -1) && CMS_add_smimecap(signer, list);
  sk_X509_ALGOR_pop_free(list, X509_ALGOR_free);
  return added;
}

static bool add_certificates(CMS_ContentInfo *info, const ss_certificates *list, int from)
{
  bool added = true;
  for (int i = from; added && list && i < sk_X509_num(list); i++)
    added = CMS_add1_cert(info, sk_X509_value(list, i)) ||
            ERR_GET_REASON(ERR_peek_last_error()) == CMS_R_CERTIFICATE_ALREADY_PRESENT;
  return added;
}

static bool add_signer(ss_cms *cms, const ss_certificates *own, EVP_PKEY *key)
{
  size_t hash = hash_for(key);
  const EVP_MD *md = EVP_get_digestbyname(hashes[hash].name);
  CMS_SignerInfo *signer =
      md ? CMS_add1_signer(cms->info, ss_certificates_own(own), key, md, FLAGS | CMS_NOSMIMECAP) : NULL;
  cms->hash = hashes[hash].micalg;
  return signer && add_capabilities(signer);
}

ss_cms *ss_cms_new_signature(const ss_certificates *own, const ss_certificates *chain,
                             const ss_smime_secret *secret, ss_error *e)
{
  EVP_PKEY *key = ss_smime_key_read(secret, own, e);
  if (!key) return NULL;
  ss_cms *cms = new_cms(CMS_sign(NULL, NULL, NULL, NULL, FLAGS | CMS_DETACHED), SIZE_MAX);
  bool made = cms && add_signer(cms, own, key) && add_certificates(cms->info, own, 1) &&
              add_certificates(cms->info, chain, 0);
  EVP_PKEY_free(key);
  if (!made) {
    wrong(e, "cert");
    ss_cms_free(cms);
    cms = NULL;
  }
  ERR_clear_error();
  return cms;
}

const char *ss_cms_hash(const ss_cms *cms)
{
  return cms->hash;
}

/* ---- encrypting ---------------------------------------------------------------------------------------------- */

ss_cms *ss_cms_new_encryption(const char *cipher, ss_error *e)
{
  ERR_clear_error();
  const EVP_CIPHER *known = EVP_get_cipherbyname(cipher);
  ss_cms *cms = known ? new_cms(CMS_encrypt(NULL, NULL, known, FLAGS), SS_CMS_HELD) : NULL;
  if (!cms) wrong(e, "encryption");
  ERR_clear_error();
  return cms;
}

/* RFC 8551 section 2.3: the key of an EC recipient is derived by SHA-256; OpenSSL's own choice is SHA-1. */
static bool set_derivation(CMS_RecipientInfo *one)
{
  if (CMS_RecipientInfo_type(one) != CMS_RECIPINFO_AGREE) return true;
  EVP_PKEY_CTX *ctx = CMS_RecipientInfo_get0_pkey_ctx(one);
  return ctx && EVP_PKEY_CTX_set_ecdh_kdf_md(ctx, EVP_sha256()) > 0;
}

ss_status ss_cms_add_recipient(ss_cms *cms, const ss_certificates *to, ss_error *e)
{
  ERR_clear_error();
  CMS_RecipientInfo *one = CMS_add1_recipient_cert(cms->info, ss_certificates_own(to), CMS_KEY_PARAM);
  ss_status status = one && set_derivation(one) ? SS_OK : wrong(e, "encryption");
  ERR_clear_error();
  return status;
}

/* ---- the bytes ----------------------------------------------------------------------------------------------- */

static bool begin(ss_cms *cms)
{
  if (!cms->in) cms->in = CMS_dataInit(cms->info, NULL);
  return cms->in;
}

ss_status ss_cms_update(ss_cms *cms, const void *p, size_t n, ss_error *e)
{
  size_t written = 0;
  ss_status status = SS_OK;
  if (n > cms->room)
    return ss_fail(e, SS_E_LIMIT, "is longer than the %d MiB that may be encrypted", SS_CMS_HELD >> 20);
  ERR_clear_error();
  if (!begin(cms) || (n && !BIO_write_ex(cms->in, p, n, &written)) || written != n)
    status = wrong(e, "cannot be made");
  if (cms->room != SIZE_MAX) cms->room -= n;
  ERR_clear_error();
  return status;
}

ss_status ss_cms_finish(ss_cms *cms, const uint8_t **der, size_t *n, ss_error *e)
{
  ERR_clear_error();
  bool done = begin(cms) && BIO_flush(cms->in) > 0 && CMS_dataFinal(cms->info, cms->in);
  int length = done ? i2d_CMS_ContentInfo(cms->info, &cms->der) : 0;
  ss_status status = length > 0 ? SS_OK : wrong(e, "cannot be made");
  release(cms); /* it may hold as much as the result */
  *der = cms->der;
  *n = length > 0 ? (size_t)length : 0;
  ERR_clear_error();
  return status;
}
