/* bearer: see bearer.h. */
#include "sasl/bearer.h"
#include "base/ascii.h"
#include "base/utf8.h"

#include <string.h>

/* RFC 6750 section 2.1: b64token. */
static bool is_token(ss_span s)
{
  size_t n = s.length, i = 0;
  while (n && s.bytes[n - 1] == '=')
    n--;
  while (i < n && (ss_ascii_letter((unsigned char)s.bytes[i]) || ss_ascii_digit((unsigned char)s.bytes[i]) ||
                   memchr("-._~+/", s.bytes[i], 6)))
    i++;
  return n && i == n;
}

/* A control character in a name could only be there to end it, and to begin a key-value of somebody else's. */
static bool is_name(ss_span s)
{
  for (size_t i = 0; i < s.length; i++)
    if ((unsigned char)s.bytes[i] < 0x20 || s.bytes[i] == 0x7f) return false;
  return ss_utf8_valid((const uint8_t *)s.bytes, s.length) == s.length;
}

ss_status ss_bearer_check(const ss_exchange *x, ss_error *e)
{
  if (!is_name(x->who.user))
    return ss_fail(e, SS_E_ARGUMENT, "the user name is not UTF-8, or contains control characters");
  if (!is_name(x->who.host))
    return ss_fail(e, SS_E_ARGUMENT, "the server's name is not UTF-8, or contains control characters");
  if (!is_token(x->who.token))
    return ss_fail(e, SS_E_ARGUMENT,
                   "the token contains characters that no bearer token has (RFC 6750, 2.1)");
  return SS_OK;
}

ss_status ss_bearer_refused(ss_exchange *x, const uint8_t *challenge, size_t n)
{
  size_t room = ss_buf_room(x->complaint);
  x->done = false;
  return ss_buf_append(x->complaint, challenge, n < room ? n : room);
}
