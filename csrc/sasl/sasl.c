/* sasl: see sasl.h. */
#include "sasl/sasl.h"
#include "base/wipe.h"

#include <stdio.h>
#include <string.h>

enum { COMPLAINT_BYTES = 1024 };

void ss_sasl_init(ss_sasl *s)
{
  memset(s, 0, sizeof *s);
  ss_buf_init(&s->user, SS_SASL_BYTES);
  ss_buf_init(&s->password, SS_SASL_BYTES);
  ss_buf_init(&s->token, SS_SASL_BYTES);
  ss_buf_init(&s->host, SS_HOST_BYTES);
  ss_buf_init(&s->challenge, SS_SASL_BYTES);
  ss_buf_init(&s->response, 3 * SS_SASL_BYTES);
  ss_buf_init(&s->complaint, COMPLAINT_BYTES);
}

void ss_sasl_end(ss_sasl *s)
{
  ss_buf_free(&s->user);
  ss_buf_free(&s->password);
  ss_buf_free(&s->token);
  ss_buf_free(&s->host);
  ss_buf_free(&s->challenge);
  ss_buf_free(&s->response);
  ss_wipe(&s->binding, sizeof s->binding);
  ss_wipe(s->state, sizeof s->state);
  s->exchange = (ss_exchange){0};
  s->challenged = s->taken_back = false;
}

void ss_sasl_free(ss_sasl *s)
{
  ss_sasl_end(s);
  ss_buf_free(&s->complaint);
}

/* A NUL would move the borders between PLAIN's fields (spec/security: NUL in credentials). */
static ss_status copy(ss_span *span, ss_buf *to, const char *what, ss_span from, bool needed, ss_error *e)
{
  *span = (ss_span){0};
  if (needed && from.length == 0) return ss_fail(e, SS_E_ARGUMENT, "the %s is empty", what);
  if (from.length == 0) return SS_OK;
  if (memchr(from.bytes, '\0', from.length)) return ss_fail(e, SS_E_ARGUMENT, "the %s contains a NUL", what);
  ss_status status = ss_buf_append(to, from.bytes, from.length);
  if (status == SS_E_FULL)
    return ss_fail(e, SS_E_ARGUMENT, "the %s is longer than %d bytes", what, (int)to->cap);
  if (status != SS_OK) return ss_fail(e, status, "no memory for the credentials");
  *span = (ss_span){(const char *)ss_buf_data(to), from.length};
  return SS_OK;
}

static ss_status copy_all(ss_sasl *s, unsigned needs, const ss_credentials *who, ss_error *e)
{
  ss_credentials *own = &s->exchange.who;
  *own = *who;
  ss_status status = copy(&own->user, &s->user, "user name", who->user, needs & SS_NEEDS_USER, e);
  if (status == SS_OK)
    status = copy(&own->password, &s->password, "password", who->password, needs & SS_NEEDS_PASSWORD, e);
  if (status == SS_OK) status = copy(&own->token, &s->token, "token", who->token, needs & SS_NEEDS_TOKEN, e);
  if (status == SS_OK)
    status = copy(&own->host, &s->host, "server's name", who->host, needs & SS_NEEDS_HOST, e);
  return status;
}

static void begin(ss_sasl *s, const char *name)
{
  ss_sasl_end(s);
  ss_buf_clear(&s->complaint);
  snprintf(s->name, sizeof s->name, "%s", name);
  s->exchange.state = s->state;
  s->exchange.response = &s->response;
  s->exchange.complaint = &s->complaint;
}

ss_status ss_sasl_begin(ss_sasl *s, const ss_mechanism *m, const ss_credentials *who,
                        const ss_binding *binding, bool binding_offered, ss_error *e)
{
  begin(s, m->name);
  s->exchange.mechanism = m;
  ss_status status = copy_all(s, m->needs, who, e);
  if (status == SS_OK && m->binds && !binding)
    status = ss_fail(e, SS_E_ARGUMENT, "%s needs a channel binding, and this channel has none", m->name);
  if (status != SS_OK) {
    ss_sasl_end(s);
    return status;
  }
  if (binding) {
    s->binding = *binding;
    s->exchange.binding = &s->binding;
  }
  s->exchange.binding_offered = binding_offered;
  return SS_OK;
}

/* RFC 4422 section 3.1: 1 to 20 capital letters, digits, hyphens and underscores. */
static bool is_name(const char *name)
{
  size_t n = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_");
  return n > 0 && n <= SS_SASL_NAME && name[n] == '\0';
}

ss_status ss_sasl_begin_outside(ss_sasl *s, const char *name, ss_error *e)
{
  if (!is_name(name))
    return ss_fail(e, SS_E_ARGUMENT, "this is not the name of a SASL mechanism (RFC 4422, 3.1)");
  begin(s, name);
  return SS_OK;
}

static ss_status one_too_many(const ss_sasl *s, ss_error *e)
{
  return ss_fail(e, SS_E_AUTH, "the server sent one challenge more than %s has", s->name);
}

/* Drops the response before, and makes sure that the next one is wiped as soon as it is dropped. */
static void renew_response(ss_sasl *s)
{
  ss_buf_clear(&s->response);
  ss_buf_mark_secret(&s->response);
}

/* A mechanism that has said all it has to say is not asked again: its secrets need not wait for the outcome. */
static void forget_secrets(ss_sasl *s)
{
  ss_buf_free(&s->password);
  ss_buf_free(&s->token);
  s->exchange.who.password = s->exchange.who.token = (ss_span){0};
}

ss_status ss_sasl_step(ss_sasl *s, const uint8_t *challenge, size_t n, ss_error *e)
{
  ss_exchange *x = &s->exchange;
  if (challenge) x->round++;
  if (x->round > x->mechanism->challenges) return one_too_many(s, e);
  renew_response(s);
  ss_status status = x->mechanism->step(x, challenge, n, e);
  if (x->done) forget_secrets(s);
  if (status == SS_OK && ss_buf_len(&s->response) > SS_SASL_RESPONSE) status = SS_E_FULL;
  if (status == SS_E_FULL)
    return ss_fail(e, challenge ? SS_E_AUTH : SS_E_ARGUMENT,
                   "the credentials make a response of more than %d bytes", SS_SASL_RESPONSE);
  return status == SS_E_MEMORY ? ss_fail(e, status, "no memory for AUTH %s", s->name) : status;
}

ss_status ss_sasl_count(ss_sasl *s, ss_error *e)
{
  ss_exchange *x = &s->exchange;
  if (++x->round > SS_SASL_ROUNDS || x->done || s->taken_back) return one_too_many(s, e);
  s->challenged = true;
  return SS_OK;
}

ss_status ss_sasl_respond(ss_sasl *s, const void *bytes, size_t n, bool done, ss_error *e)
{
  if (n > SS_SASL_RESPONSE)
    return ss_fail(e, SS_E_ARGUMENT, "a response has at most %d bytes", SS_SASL_RESPONSE);
  renew_response(s);
  ss_status status = ss_buf_append(&s->response, bytes, n);
  if (status != SS_OK) return ss_fail(e, status, "no memory for a response");
  s->exchange.done = done;
  s->challenged = false;
  return SS_OK;
}

void ss_sasl_take_back(ss_sasl *s)
{
  s->challenged = false;
  s->taken_back = true;
}
