/* login: LOGIN (draft-murchison-sasl-login-00): the user name, then the password, each to a prompt.
 *
 * The prompts are meant for people ("Username:", "User Name\0", …): only their order counts. */
#include "sasl/mechanism.h"

static ss_status step(ss_exchange *x, const uint8_t *challenge, size_t n, ss_error *e)
{
  (void)challenge, (void)n, (void)e;
  x->done = x->round == 2;
  return x->round == 1 ? ss_put(x, x->who.user) : ss_put(x, x->who.password);
}

extern const ss_mechanism ss_mechanism_login;
const ss_mechanism ss_mechanism_login = {.name = "LOGIN",
                                         .needs = SS_NEEDS_USER | SS_NEEDS_PASSWORD,
                                         .client_first = false,
                                         .challenges = 2,
                                         .step = step};
