/* anonymous: ANONYMOUS (RFC 4505): no credentials; the user name, where there is one, is said for the server's log.
 *
 * It logs nobody in, so it is used only by those who name it. */
#include "base/utf8.h"
#include "sasl/mechanism.h"

enum { CHARACTERS = 255 };

/* Section 2 with RFC 3454's tables for traces, as far as they do not depend on a version of Unicode: up to 255 characters, none
 * of them a control. (An address, the other form, is never longer: RFC 5321 section 4.5.3.1.3.) */
static bool is_trace(ss_span s)
{
  const uint8_t *p = (const uint8_t *)s.bytes;
  size_t characters = 0, length;
  uint32_t code;
  for (size_t i = 0; i < s.length; i += length, characters++) {
    length = ss_utf8_decode(p + i, s.length - i, &code);
    if (!length || code < 0x20 || (code >= 0x7f && code < 0xa0)) return false;
  }
  return characters <= CHARACTERS;
}

static ss_status step(ss_exchange *x, const uint8_t *challenge, size_t n, ss_error *e)
{
  (void)challenge, (void)n;
  x->done = true;
  if (!is_trace(x->who.user))
    return ss_fail(e, SS_E_ARGUMENT, "a trace is up to %d characters of UTF-8 without controls (RFC 4505, 2)",
                   CHARACTERS);
  return ss_put(x, x->who.user);
}

extern const ss_mechanism ss_mechanism_anonymous;
const ss_mechanism ss_mechanism_anonymous = {
    .name = "ANONYMOUS", .client_first = true, .only_named = true, .challenges = 0, .step = step};
