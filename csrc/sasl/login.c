/* login: LOGIN (draft-murchison-sasl-login-00): the user name, then the password, each to a prompt.
 *
 * The prompts are meant for people ("Username:", "User Name\0", …): only their order counts. */
#include "sasl/mechanism.h"

static ss_status step(const ss_credentials *who, int round, const uint8_t *challenge, size_t n,
                      ss_buf *response, bool *done, ss_error *e)
{
  (void)challenge, (void)n, (void)e;
  *done = round == 2;
  return round == 1 ? ss_buf_append(response, who->user, who->user_length)
                    : ss_buf_append(response, who->password, who->password_length);
}

extern const ss_mechanism ss_mechanism_login;
const ss_mechanism ss_mechanism_login = {
    .name = "LOGIN", .client_first = false, .challenges = 2, .step = step};
