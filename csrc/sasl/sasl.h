/* sasl: one exchange: the credentials, the mechanism, and how far they have come. It wipes what it was given. */
#ifndef SS_SASL_H
#define SS_SASL_H

#include "sasl/mechanism.h"

#include <stdalign.h>

/* Longest user name, password, token and challenge; longest response, whose line in base64 with its end has 12288 octets
 * (RFC 4954 section 4); longest name of a mechanism (RFC 4422 section 3.1); most challenges of a mechanism that stands
 * outside. */
enum { SS_SASL_BYTES = 9216, SS_SASL_RESPONSE = 9213, SS_SASL_NAME = 20, SS_SASL_ROUNDS = 16 };

typedef struct ss_sasl {
  bool challenged; /* a challenge waits for a response from outside */
  bool taken_back; /* from outside: only the refusal may still come */
  char name[SS_SASL_NAME + 1];
  ss_buf user, password, token, host, challenge, response, complaint;
  ss_binding binding;
  alignas(max_align_t) unsigned char state[SS_MECHANISM_STATE];
  ss_exchange exchange; /* its mechanism is NULL where the responses come from outside */
} ss_sasl;

void ss_sasl_init(ss_sasl *s);

/* Wipes everything and ends the exchange; the object may begin another. What the server complained of is kept until
 * then. */
void ss_sasl_end(ss_sasl *s);
void ss_sasl_free(ss_sasl *s);

/* Copies the credentials. SS_OK; SS_E_ARGUMENT when one that the mechanism needs is missing, or one is too long or contains NUL;
 * SS_E_MEMORY. The binding, where there is one, is copied too. */
ss_status ss_sasl_begin(ss_sasl *s, const ss_mechanism *m, const ss_credentials *who,
                        const ss_binding *binding, bool binding_offered, ss_error *e);

/* Begins an exchange whose responses are made outside, by ss_sasl_respond. SS_OK, or SS_E_ARGUMENT for a name that no mechanism may
 * have. */
ss_status ss_sasl_begin_outside(ss_sasl *s, const char *name, ss_error *e);

/* Computes s->response: the initial one (challenge NULL), or the one to a challenge. SS_OK, or SS_E_AUTH with `e` set
 * when the server asks for more than the mechanism has, or SS_E_ARGUMENT (of the initial one only), or SS_E_MEMORY. */
ss_status ss_sasl_step(ss_sasl *s, const uint8_t *challenge, size_t n, ss_error *e);

/* Counts a challenge for the mechanism outside: SS_OK, or SS_E_AUTH when there were too many. */
ss_status ss_sasl_count(ss_sasl *s, ss_error *e);

/* Sets s->response, made outside; `done` as ss_exchange has it. SS_OK, SS_E_ARGUMENT (too long) or SS_E_MEMORY. */
ss_status ss_sasl_respond(ss_sasl *s, const void *bytes, size_t n, bool done, ss_error *e);

/* There will be no response. */
void ss_sasl_take_back(ss_sasl *s);

#endif
