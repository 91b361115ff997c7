/* mechanism: what a SASL mechanism (RFC 4422) is to the rest of the engine: challenge in, response out.
 *
 * A mechanism is one file with one descriptor, and a line in list.c. It knows nothing of SMTP, base64 or sockets. Its
 * credentials are copies that sasl.c wipes; it keeps secrets nowhere else. */
#ifndef SS_MECHANISM_H
#define SS_MECHANISM_H

#include "base/buf.h"

/* Credentials as the caller gave them, UTF-8, owned by whoever holds this. */
typedef struct ss_credentials {
  const char *user, *password;
  size_t user_length, password_length;
} ss_credentials;

typedef struct ss_mechanism {
  const char *name;
  bool client_first; /* its first response needs no challenge */
  int challenges;    /* most challenges that an honest server sends */

  /* Appends the response to challenge number `round` (0 for the initial response of a client-first mechanism, whose
   * challenge is NULL; the first challenge of the others is 1) to `response`. SS_OK, and *done set once nothing more is
   * expected but the outcome; SS_E_AUTH with `e` set when the server's part is wrong; SS_E_MEMORY. */
  ss_status (*step)(const ss_credentials *who, int round, const uint8_t *challenge, size_t n,
                    ss_buf *response, bool *done, ss_error *e);
} ss_mechanism;

/* All of them, strongest first, ended by NULL. */
extern const ss_mechanism *const ss_mechanisms[];

/* By name, without regard to case; NULL when there is none. */
const ss_mechanism *ss_mechanism_find(const char *name);

#endif
