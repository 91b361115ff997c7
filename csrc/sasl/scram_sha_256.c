/* scram_sha_256: SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 7677). */
#include "sasl/scram.h"

static ss_status step(ss_exchange *x, const uint8_t *challenge, size_t n, ss_error *e)
{
  return ss_scram_step(x, EVP_sha256(), challenge, n, e);
}

extern const ss_mechanism ss_mechanism_scram_sha_256, ss_mechanism_scram_sha_256_plus;
const ss_mechanism ss_mechanism_scram_sha_256 = SS_SCRAM("SCRAM-SHA-256", false, step);
const ss_mechanism ss_mechanism_scram_sha_256_plus = SS_SCRAM("SCRAM-SHA-256-PLUS", true, step);
