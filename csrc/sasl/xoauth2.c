/* xoauth2: XOAUTH2, as Google and Microsoft describe it: "user=" name 0x01 "auth=Bearer " token 0x01 0x01.
 *
 * A server that refuses says why in a challenge, and waits for an empty response before it says 535. */
#include "sasl/bearer.h"

static ss_status step(ss_exchange *x, const uint8_t *challenge, size_t n, ss_error *e)
{
  if (challenge) return ss_bearer_refused(x, challenge, n);
  ss_status status = ss_bearer_check(x, e);
  if (status == SS_OK) status = ss_put_text(x, "user=");
  if (status == SS_OK) status = ss_put(x, x->who.user);
  if (status == SS_OK) status = ss_put_text(x, "\001auth=Bearer ");
  if (status == SS_OK) status = ss_put(x, x->who.token);
  if (status == SS_OK) status = ss_put_text(x, "\001\001");
  x->done = true;
  return status;
}

extern const ss_mechanism ss_mechanism_xoauth2;
const ss_mechanism ss_mechanism_xoauth2 = {.name = "XOAUTH2",
                                           .needs = SS_NEEDS_USER | SS_NEEDS_TOKEN,
                                           .client_first = true,
                                           .challenges = 1,
                                           .step = step};
