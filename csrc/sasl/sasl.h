/* sasl: one exchange: the credentials, the mechanism, and how far they have come. It wipes what it was given. */
#ifndef SS_SASL_H
#define SS_SASL_H

#include "sasl/mechanism.h"

/* Longest user name, password, challenge and response. */
enum { SS_SASL_BYTES = 9216 };

typedef struct ss_sasl {
  const ss_mechanism *mechanism; /* NULL: no exchange is going on */
  ss_buf user, password, challenge, response;
  int round;
  bool done; /* the mechanism has said all it has to say */
} ss_sasl;

void ss_sasl_init(ss_sasl *s);

/* Wipes everything and ends the exchange; the object may begin another. */
void ss_sasl_end(ss_sasl *s);

/* Copies the credentials. SS_OK; SS_E_ARGUMENT when one is missing, too long or contains NUL; SS_E_MEMORY. */
ss_status ss_sasl_begin(ss_sasl *s, const ss_mechanism *m, const ss_credentials *who, ss_error *e);

/* Computes s->response: the initial one (challenge NULL), or the one to a challenge. SS_OK, or SS_E_AUTH with `e` set
 * when the server asks for more than the mechanism has, or SS_E_MEMORY. */
ss_status ss_sasl_step(ss_sasl *s, const uint8_t *challenge, size_t n, ss_error *e);

#endif
