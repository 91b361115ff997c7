/* scram_sha_1: SCRAM-SHA-1 and SCRAM-SHA-1-PLUS (RFC 5802). */
#include "sasl/scram.h"

static ss_status step(ss_exchange *x, const uint8_t *challenge, size_t n, ss_error *e)
{
  return ss_scram_step(x, EVP_sha1(), challenge, n, e);
}

extern const ss_mechanism ss_mechanism_scram_sha_1, ss_mechanism_scram_sha_1_plus;
const ss_mechanism ss_mechanism_scram_sha_1 = SS_SCRAM("SCRAM-SHA-1", false, step);
const ss_mechanism ss_mechanism_scram_sha_1_plus = SS_SCRAM("SCRAM-SHA-1-PLUS", true, step);
