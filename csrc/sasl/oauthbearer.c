/* oauthbearer: OAUTHBEARER (RFC 7628): the GS2 header with the user, then host, port and token as key-values.
 *
 * A server that refuses says why in a challenge, and waits for a lone 0x01 before it says 535 (section 3.2.3). */
#include "sasl/bearer.h"

#include <stdio.h>
#include <string.h>

/* RFC 5801 section 4: "," and "=" have a meaning in the header. */
static ss_status put_name(ss_exchange *x, ss_span s)
{
  ss_status status = SS_OK;
  for (size_t i = 0; i < s.length && status == SS_OK; i++) {
    if (s.bytes[i] == ',')
      status = ss_put_text(x, "=2C");
    else if (s.bytes[i] == '=')
      status = ss_put_text(x, "=3D");
    else
      status = ss_put(x, (ss_span){s.bytes + i, 1});
  }
  return status;
}

static ss_status put_pair(ss_exchange *x, const char *key, ss_span value)
{
  ss_status status = ss_put_text(x, key);
  if (status == SS_OK) status = ss_put(x, value);
  return status == SS_OK ? ss_put_text(x, "\001") : status;
}

/* Section 3.1: which server the token is shown to, as far as that is known. */
static ss_status put_server(ss_exchange *x)
{
  char port[16];
  snprintf(port, sizeof port, "%u", x->who.port);
  ss_status status = x->who.host.length ? put_pair(x, "host=", x->who.host) : SS_OK;
  if (status == SS_OK && x->who.port) status = put_pair(x, "port=", (ss_span){port, strlen(port)});
  return status;
}

static ss_status answer(ss_exchange *x, const uint8_t *challenge, size_t n)
{
  ss_status status = ss_bearer_refused(x, challenge, n);
  return status == SS_OK ? ss_put_text(x, "\001") : status;
}

static ss_status step(ss_exchange *x, const uint8_t *challenge, size_t n, ss_error *e)
{
  if (challenge) return answer(x, challenge, n);
  ss_status status = ss_bearer_check(x, e);
  if (status == SS_OK) status = ss_put_text(x, "n,a=");
  if (status == SS_OK) status = put_name(x, x->who.user);
  if (status == SS_OK) status = ss_put_text(x, ",\001");
  if (status == SS_OK) status = put_server(x);
  if (status == SS_OK) status = put_pair(x, "auth=Bearer ", x->who.token);
  if (status == SS_OK) status = ss_put_text(x, "\001");
  x->done = true;
  return status;
}

extern const ss_mechanism ss_mechanism_oauthbearer;
const ss_mechanism ss_mechanism_oauthbearer = {.name = "OAUTHBEARER",
                                               .needs = SS_NEEDS_USER | SS_NEEDS_TOKEN,
                                               .client_first = true,
                                               .challenges = 1,
                                               .step = step};
