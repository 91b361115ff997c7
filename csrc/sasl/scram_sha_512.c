/* scram_sha_512: SCRAM-SHA-512 and SCRAM-SHA-512-PLUS, as RFC 7677 has them, with the longer hash. */
#include "sasl/scram.h"

static ss_status step(ss_exchange *x, const uint8_t *challenge, size_t n, ss_error *e)
{
  return ss_scram_step(x, EVP_sha512(), challenge, n, e);
}

extern const ss_mechanism ss_mechanism_scram_sha_512, ss_mechanism_scram_sha_512_plus;
const ss_mechanism ss_mechanism_scram_sha_512 = SS_SCRAM("SCRAM-SHA-512", false, step);
const ss_mechanism ss_mechanism_scram_sha_512_plus = SS_SCRAM("SCRAM-SHA-512-PLUS", true, step);
