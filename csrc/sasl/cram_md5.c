/* cram_md5: CRAM-MD5 (RFC 2195): user SP hex of HMAC-MD5(password, challenge). */
#include "base/hex.h"
#include "base/wipe.h"
#include "sasl/mechanism.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

enum { MD5_BYTES = 16 };

/* False where OpenSSL refuses, as under FIPS rules; its errors are not left in the queue, which is the process's. */
static bool hmac_md5(unsigned char digest[MD5_BYTES], ss_span key, const uint8_t *text, size_t n)
{
  unsigned length = 0;
  bool done = key.length <= INT_MAX && HMAC(EVP_md5(), key.bytes, (int)key.length, text, n, digest, &length);
  if (!done) ERR_clear_error();
  return done && length == MD5_BYTES;
}

static ss_status step(ss_exchange *x, const uint8_t *challenge, size_t n, ss_error *e)
{
  unsigned char digest[MD5_BYTES];
  char hex[2 * MD5_BYTES];
  x->done = true;
  if (n == 0) return ss_fail(e, SS_E_AUTH, "the server sent no challenge for CRAM-MD5");
  if (!hmac_md5(digest, x->who.password, challenge, n))
    return ss_fail(e, SS_E_AUTH, "OpenSSL does not compute HMAC-MD5 here");
  ss_hex(hex, digest, MD5_BYTES);
  ss_wipe(digest, sizeof digest);
  ss_status status = ss_put(x, x->who.user);
  if (status == SS_OK) status = ss_put(x, (ss_span){" ", 1});
  if (status == SS_OK) status = ss_put(x, (ss_span){hex, sizeof hex});
  return status;
}

extern const ss_mechanism ss_mechanism_cram_md5;
const ss_mechanism ss_mechanism_cram_md5 = {.name = "CRAM-MD5",
                                            .needs = SS_NEEDS_USER | SS_NEEDS_PASSWORD,
                                            .client_first = false,
                                            .challenges = 1,
                                            .step = step};
