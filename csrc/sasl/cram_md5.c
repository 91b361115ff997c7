/* cram_md5: CRAM-MD5 (RFC 2195): user SP hex of HMAC-MD5(password, challenge). */
#include "base/wipe.h"
#include "sasl/mechanism.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

enum { MD5_BYTES = 16 };

static void to_hex(char *to, const unsigned char *from, size_t n)
{
  for (size_t i = 0; i < n; i++) {
    *to++ = "0123456789abcdef"[from[i] >> 4];
    *to++ = "0123456789abcdef"[from[i] & 15];
  }
}

/* False where OpenSSL refuses, as under FIPS rules; its errors are not left in the queue, which is the process's. */
static bool hmac_md5(unsigned char digest[MD5_BYTES], const ss_credentials *who, const uint8_t *text,
                     size_t n)
{
  unsigned length = 0;
  bool done = who->password_length <= INT_MAX &&
              HMAC(EVP_md5(), who->password, (int)who->password_length, text, n, digest, &length);
  if (!done) ERR_clear_error();
  return done && length == MD5_BYTES;
}

static ss_status step(const ss_credentials *who, int round, const uint8_t *challenge, size_t n,
                      ss_buf *response, bool *done, ss_error *e)
{
  unsigned char digest[MD5_BYTES];
  char hex[2 * MD5_BYTES];
  (void)round;
  *done = true;
  if (n == 0) return ss_fail(e, SS_E_AUTH, "the server sent no challenge for CRAM-MD5");
  if (!hmac_md5(digest, who, challenge, n))
    return ss_fail(e, SS_E_AUTH, "OpenSSL does not compute HMAC-MD5 here");
  to_hex(hex, digest, MD5_BYTES);
  ss_wipe(digest, sizeof digest);
  ss_status status = ss_buf_append(response, who->user, who->user_length);
  if (status == SS_OK) status = ss_buf_append(response, " ", 1);
  if (status == SS_OK) status = ss_buf_append(response, hex, sizeof hex);
  return status;
}

extern const ss_mechanism ss_mechanism_cram_md5;
const ss_mechanism ss_mechanism_cram_md5 = {
    .name = "CRAM-MD5", .client_first = false, .challenges = 1, .step = step};
