/* auth: how SASL looks inside SMTP (RFC 4954): base64, the "=" of an empty initial response, the limits. It knows no
 * mechanism. */
#ifndef SS_AUTH_H
#define SS_AUTH_H

#include "base/buf.h"

/* A command line with its CRLF (RFC 5321 section 4.5.3.1.4), and a challenge or response (RFC 4954 section 4). */
enum { SS_AUTH_COMMAND = 512, SS_AUTH_LINE = 12288 };

/* Appends "AUTH name [initial]\r\n". SS_E_FULL when that is longer than a command may be. `initial` may be NULL. */
ss_status ss_auth_command(ss_buf *line, const char *mechanism, const uint8_t *initial, size_t n);

/* Appends the line that answers a challenge. */
ss_status ss_auth_response(ss_buf *line, const uint8_t *response, size_t n);

/* Decodes the text of a 334 reply into `to`, which is cleared first. SS_E_ARGUMENT when it is not base64. */
ss_status ss_auth_challenge(ss_buf *to, const char *text, size_t n);

#endif
