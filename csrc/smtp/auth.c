/* auth: see auth.h. */
#include "smtp/auth.h"
#include "base/base64.h"

#include <string.h>

ss_status ss_auth_command(ss_buf *line, const char *mechanism, const uint8_t *initial, size_t n)
{
  size_t length = strlen("AUTH ") + strlen(mechanism) + strlen("\r\n");
  if (initial) length += 1 + (n ? ss_base64_length(n) : 1);
  if (length > SS_AUTH_COMMAND || length > ss_buf_room(line)) return SS_E_FULL;
  ss_buf_mark_secret(line);
  ss_status status = ss_buf_puts(line, "AUTH ");
  if (status == SS_OK) status = ss_buf_puts(line, mechanism);
  if (status == SS_OK && initial) status = ss_buf_puts(line, n ? " " : " =");
  if (status == SS_OK && initial && n) status = ss_base64_append(line, initial, n);
  if (status == SS_OK) status = ss_buf_puts(line, "\r\n");
  return status;
}

ss_status ss_auth_response(ss_buf *line, const uint8_t *response, size_t n)
{
  if (ss_base64_length(n) + 2 > SS_AUTH_LINE) return SS_E_FULL;
  ss_buf_mark_secret(line);
  ss_status status = ss_base64_append(line, response, n);
  return status == SS_OK ? ss_buf_puts(line, "\r\n") : status;
}

ss_status ss_auth_challenge(ss_buf *to, const char *text, size_t n)
{
  ss_buf_clear(to);
  return ss_base64_decode(to, text, n);
}
