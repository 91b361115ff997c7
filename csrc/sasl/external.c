/* external: EXTERNAL (RFC 4422 appendix A): the server knows the client by its certificate already. What is said is as
 * whom to act, where that is not to be taken from the certificate. */
#include "base/utf8.h"
#include "sasl/mechanism.h"

static ss_status step(ss_exchange *x, const uint8_t *challenge, size_t n, ss_error *e)
{
  (void)challenge, (void)n;
  const ss_span *user = &x->who.user;
  x->done = true;
  if (ss_utf8_valid((const uint8_t *)user->bytes, user->length) != user->length)
    return ss_fail(e, SS_E_ARGUMENT, "the user name is not UTF-8");
  return ss_put(x, *user);
}

extern const ss_mechanism ss_mechanism_external;
const ss_mechanism ss_mechanism_external = {
    .name = "EXTERNAL", .needs = SS_NEEDS_CERTIFICATE, .client_first = true, .challenges = 0, .step = step};
