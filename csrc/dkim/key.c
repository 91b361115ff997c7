/* key: see key.h. */
#include "dkim/key.h"
#include "base/pem.h"
#include "base/wipe.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

enum { BITS_LEAST = 1024, BITS_WANTED = 2048 };

/* RFC 8463 section 3: Ed25519 signs the digest, as the message that it is; RSA hashes by itself. */
typedef struct kind {
  int id;
  const char *algorithm;
  bool digest_first;
} kind;

static const kind kinds[] = {{EVP_PKEY_RSA, "rsa-sha256", false}, {EVP_PKEY_ED25519, "ed25519-sha256", true}};

struct ss_dkim_key {
  EVP_PKEY *pkey;
  const kind *kind;
};

static const kind *find_kind(const EVP_PKEY *pkey)
{
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
    if (EVP_PKEY_get_base_id(pkey) == kinds[i].id) return &kinds[i];
  return NULL;
}

/* Nothing that is encrypted is opened: a mailer has nobody to ask. */
static EVP_PKEY *read_pem(const char *pem, size_t n, ss_error *e)
{
  ss_password_prompt prompt = {0};
  EVP_PKEY *pkey = ss_pem_key(pem, n, &prompt);
  if (pkey) return pkey;
  ss_fail(e, SS_E_ARGUMENT, "%s",
          prompt.asked
              ? "is encrypted: give it decrypted (openssl pkey -in … -out …), for instance by a function"
              : "is no private key in PEM (\"-----BEGIN PRIVATE KEY-----\")");
  return NULL;
}

/* What is wrong with a key, or SS_OK. */
static ss_status judge(const ss_dkim_key *key, bool short_allowed, ss_error *e)
{
  if (!key->kind)
    return ss_fail(e, SS_E_ARGUMENT, "is neither an RSA nor an Ed25519 key, and DKIM has no other");
  int bits = EVP_PKEY_get_bits(key->pkey);
  if (key->kind->id != EVP_PKEY_RSA || bits >= BITS_WANTED) return SS_OK;
  if (bits < BITS_LEAST)
    return ss_fail(e, SS_E_ARGUMENT,
                   "is an RSA key of %d bits, and no signature by one of less than %d counts", bits,
                   BITS_LEAST);
  if (short_allowed) return SS_OK;
  return ss_fail(e, SS_E_ARGUMENT,
                 "is an RSA key of %d bits, less than %d: make a new one, or say insecure_short_key", bits,
                 BITS_WANTED);
}

ss_dkim_key *ss_dkim_key_read(const char *pem, size_t n, bool short_allowed, ss_error *e)
{
  EVP_PKEY *pkey = read_pem(pem, n, e);
  if (!pkey) return NULL;
  ss_dkim_key *key = malloc(sizeof *key);
  if (!key) {
    EVP_PKEY_free(pkey);
    ss_fail(e, SS_E_MEMORY, "out of memory");
    return NULL;
  }
  *key = (ss_dkim_key){pkey, find_kind(pkey)};
  if (judge(key, short_allowed, e) == SS_OK) return key;
  ss_dkim_key_free(key);
  return NULL;
}

void ss_dkim_key_free(ss_dkim_key *key)
{
  if (!key) return;
  EVP_PKEY_free(key->pkey);
  ss_wipe_free(key, sizeof *key);
}

const char *ss_dkim_key_algorithm(const ss_dkim_key *key)
{
  return key->kind->algorithm;
}

int ss_dkim_key_bits(const ss_dkim_key *key)
{
  return EVP_PKEY_get_bits(key->pkey);
}

static bool sign(const ss_dkim_key *key, const uint8_t *p, size_t n, uint8_t *to, size_t *length)
{
  uint8_t digest[SS_DKIM_DIGEST];
  bool first = key->kind->digest_first;
  EVP_MD_CTX *context = EVP_MD_CTX_new();
  bool done = context && EVP_DigestSignInit(context, NULL, first ? NULL : EVP_sha256(), NULL, key->pkey) == 1;
  if (done && first) {
    done = EVP_Digest(p, n, digest, NULL, EVP_sha256(), NULL) == 1;
    p = digest;
    n = sizeof digest;
  }
  *length = SS_DKIM_SIGNATURE;
  done = done && EVP_DigestSign(context, to, length, p, n) == 1;
  EVP_MD_CTX_free(context);
  return done;
}

ss_status ss_dkim_key_sign(const ss_dkim_key *key, const uint8_t *p, size_t n,
                           uint8_t signature[SS_DKIM_SIGNATURE], size_t *length, ss_error *e)
{
  ERR_clear_error();
  bool done = sign(key, p, n, signature, length);
  ERR_clear_error();
  return done ? SS_OK : ss_fail(e, SS_E_INTERNAL, "OpenSSL does not sign with this key");
}
