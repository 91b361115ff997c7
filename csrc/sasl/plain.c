/* plain: PLAIN (RFC 4616): NUL user NUL password, no authorization identity. */
#include "sasl/mechanism.h"

static ss_status step(ss_exchange *x, const uint8_t *challenge, size_t n, ss_error *e)
{
  (void)challenge, (void)n, (void)e;
  ss_status status = ss_put(x, (ss_span){"", 1});
  if (status == SS_OK) status = ss_put(x, x->who.user);
  if (status == SS_OK) status = ss_put(x, (ss_span){"", 1});
  if (status == SS_OK) status = ss_put(x, x->who.password);
  x->done = true;
  return status;
}

extern const ss_mechanism ss_mechanism_plain;
const ss_mechanism ss_mechanism_plain = {.name = "PLAIN",
                                         .needs = SS_NEEDS_USER | SS_NEEDS_PASSWORD,
                                         .client_first = true,
                                         .challenges = 0,
                                         .step = step};
