/* sasl: see sasl.h. */
#include "sasl/sasl.h"

#include <string.h>

void ss_sasl_init(ss_sasl *s)
{
  *s = (ss_sasl){0};
  ss_buf_init(&s->user, SS_SASL_BYTES);
  ss_buf_init(&s->password, SS_SASL_BYTES);
  ss_buf_init(&s->challenge, SS_SASL_BYTES);
  ss_buf_init(&s->response, 3 * SS_SASL_BYTES);
}

void ss_sasl_end(ss_sasl *s)
{
  ss_buf_free(&s->user);
  ss_buf_free(&s->password);
  ss_buf_free(&s->challenge);
  ss_buf_free(&s->response);
  s->mechanism = NULL;
  s->round = 0;
  s->done = false;
}

/* A NUL would move the borders between PLAIN's fields (spec/security: NUL in credentials). */
static ss_status copy(ss_buf *to, const char *what, const char *from, size_t n, ss_error *e)
{
  if (!from || n == 0) return ss_fail(e, SS_E_ARGUMENT, "the %s is empty", what);
  if (memchr(from, '\0', n)) return ss_fail(e, SS_E_ARGUMENT, "the %s contains a NUL", what);
  ss_status status = ss_buf_append(to, from, n);
  if (status == SS_E_FULL)
    return ss_fail(e, SS_E_ARGUMENT, "the %s is longer than %d bytes", what, SS_SASL_BYTES);
  return status == SS_OK ? SS_OK : ss_fail(e, status, "no memory for the credentials");
}

ss_status ss_sasl_begin(ss_sasl *s, const ss_mechanism *m, const ss_credentials *who, ss_error *e)
{
  ss_sasl_end(s);
  ss_status status = copy(&s->user, "user name", who->user, who->user_length, e);
  if (status == SS_OK) status = copy(&s->password, "password", who->password, who->password_length, e);
  if (status != SS_OK) {
    ss_sasl_end(s);
    return status;
  }
  s->mechanism = m;
  return SS_OK;
}

ss_status ss_sasl_step(ss_sasl *s, const uint8_t *challenge, size_t n, ss_error *e)
{
  const ss_mechanism *m = s->mechanism;
  ss_credentials who = {(const char *)ss_buf_data(&s->user), (const char *)ss_buf_data(&s->password),
                        ss_buf_len(&s->user), ss_buf_len(&s->password)};
  if (challenge) s->round++;
  if (s->round > m->challenges || (challenge && s->done))
    return ss_fail(e, SS_E_AUTH, "the server sent one challenge more than %s has", m->name);
  ss_buf_clear(&s->response);
  ss_status status = m->step(&who, s->round, challenge, n, &s->response, &s->done, e);
  if (status == SS_E_MEMORY || status == SS_E_FULL)
    return ss_fail(e, SS_E_MEMORY, "no memory for AUTH %s", m->name);
  return status;
}
