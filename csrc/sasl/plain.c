/* plain: PLAIN (RFC 4616): NUL user NUL password, no authorization identity. */
#include "sasl/mechanism.h"

static ss_status step(const ss_credentials *who, int round, const uint8_t *challenge, size_t n,
                      ss_buf *response, bool *done, ss_error *e)
{
  (void)round, (void)challenge, (void)n, (void)e;
  ss_status status = ss_buf_append(response, "", 1);
  if (status == SS_OK) status = ss_buf_append(response, who->user, who->user_length);
  if (status == SS_OK) status = ss_buf_append(response, "", 1);
  if (status == SS_OK) status = ss_buf_append(response, who->password, who->password_length);
  *done = true;
  return status;
}

extern const ss_mechanism ss_mechanism_plain;
const ss_mechanism ss_mechanism_plain = {
    .name = "PLAIN", .client_first = true, .challenges = 0, .step = step};
