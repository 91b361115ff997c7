/* login: one AUTH command (RFC 4954): a SASL exchange over SMTP's challenges and responses. Whether a login may be tried
 * here and now is the question of conn, which holds the policy. */
#ifndef SS_LOGIN_H
#define SS_LOGIN_H

#include "sasl/sasl.h"
#include "smtp/proto.h"
#include "smtpsec.h"

typedef struct ss_login {
  ss_sasl sasl;
  bool initial_held; /* the initial response did not fit the AUTH line: it answers the first challenge */
} ss_login;

void ss_login_init(ss_login *l);
void ss_login_free(ss_login *l);

/* Wipes the secrets; what the server complained of stays until the next login. */
void ss_login_end(ss_login *l);

/* As ss_conn_auth, ss_conn_auth_outside and ss_conn_respond have it. `binding` may be NULL. */
int64_t ss_login_begin(ss_login *l, ss_proto *p, const ss_mechanism *m, const ss_credentials *who,
                       const ss_binding *binding, ss_error *e);
int64_t ss_login_begin_outside(ss_login *l, ss_proto *p, const char *mechanism, const void *initial, size_t n,
                               bool done, ss_error *e);
ss_status ss_login_respond(ss_login *l, ss_proto *p, const void *response, size_t n, bool done, ss_error *e);

/* Takes a reply to AUTH. SS_AGAIN: it was a challenge, and is answered; SS_OK: the event is the caller's, the outcome or a
 * challenge for his mechanism; SS_E_AUTH and others: the server failed its part. */
ss_status ss_login_reply(ss_login *l, ss_proto *p, ss_event *event, ss_error *e);

#endif
