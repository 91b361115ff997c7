/* login: see login.h. */
#include "login.h"
#include "base/ascii.h"
#include "smtp/auth.h"

#include <string.h>

void ss_login_init(ss_login *l)
{
  ss_sasl_init(&l->sasl);
  l->initial_held = false;
}

void ss_login_free(ss_login *l)
{
  ss_sasl_free(&l->sasl);
}

void ss_login_end(ss_login *l)
{
  ss_sasl_end(&l->sasl);
}

/* What is in a buffer, which is something even where it is empty: "" is a challenge and a response like others. */
static const uint8_t *bytes_of(const ss_buf *b)
{
  return ss_buf_len(b) ? ss_buf_data(b) : (const uint8_t *)"";
}

/* ---- the beginning -------------------------------------------------------------------------------------------- */

/* AUTH with s->response as the initial response, where the line has room for it (RFC 4954 section 4). */
static int64_t auth_with_initial(ss_login *l, ss_proto *p, ss_error *e)
{
  ss_buf *response = &l->sasl.response;
  int64_t tag = ss_proto_auth(p, l->sasl.name, bytes_of(response), ss_buf_len(response), e);
  l->initial_held = tag == SS_E_FULL;
  if (l->initial_held) return ss_proto_auth(p, l->sasl.name, NULL, 0, e);
  ss_buf_clear(response);
  return tag;
}

static int64_t start_exchange(ss_login *l, ss_proto *p, bool client_first, ss_error *e)
{
  l->initial_held = false;
  return client_first ? auth_with_initial(l, p, e) : ss_proto_auth(p, l->sasl.name, NULL, 0, e);
}

/* What a failed beginning leaves behind is wiped; a tag goes through. */
static int64_t began(ss_login *l, int64_t result)
{
  if (result < 0) ss_login_end(l);
  return result;
}

/* RFC 5802 section 4: the names of mechanisms with channel binding end in -PLUS, also of those that are not known here. */
static bool offers_binding(const ss_caps *caps)
{
  static const char suffix[] = "-PLUS";
  const size_t n = sizeof suffix - 1;
  ss_keyword k;
  ss_word word;
  for (size_t at = 0; ss_caps_next(caps, &at, &k);) {
    if (!ss_ascii_same(k.name, k.name_length, "AUTH")) continue;
    for (size_t i = 0; ss_caps_next_param(&k, &i, &word);)
      if (word.length > n && ss_ascii_same(word.text + word.length - n, n, suffix)) return true;
  }
  return false;
}

int64_t ss_login_begin(ss_login *l, ss_proto *p, const ss_mechanism *m, const ss_credentials *who,
                       const ss_binding *binding, ss_error *e)
{
  ss_status status = ss_proto_check_auth(p, m->name, e);
  if (status != SS_OK) return status;
  status = ss_sasl_begin(&l->sasl, m, who, binding, offers_binding(&p->caps), e);
  if (status == SS_OK && m->client_first) status = ss_sasl_step(&l->sasl, NULL, 0, e);
  return began(l, status == SS_OK ? start_exchange(l, p, m->client_first, e) : status);
}

int64_t ss_login_begin_outside(ss_login *l, ss_proto *p, const char *mechanism, const void *initial, size_t n,
                               bool done, ss_error *e)
{
  ss_status status = ss_proto_check_auth(p, mechanism, e);
  if (status == SS_OK) status = ss_sasl_begin_outside(&l->sasl, mechanism, e);
  if (status != SS_OK) return status;
  if (initial) status = ss_sasl_respond(&l->sasl, initial, n, done, e);
  return began(l, status == SS_OK ? start_exchange(l, p, initial != NULL, e) : status);
}

/* ---- challenges ----------------------------------------------------------------------------------------------- */

static ss_status send_response(ss_login *l, ss_proto *p, ss_error *e)
{
  ss_buf *response = &l->sasl.response;
  ss_status status = ss_proto_respond(p, ss_buf_data(response), ss_buf_len(response), e);
  ss_buf_clear(response);
  return status == SS_OK ? SS_AGAIN : status;
}

static ss_status decode(ss_buf *challenge, const ss_reply *reply, ss_error *e)
{
  ss_status status = ss_auth_challenge(challenge, reply->text, reply->length);
  if (status == SS_E_ARGUMENT) return ss_fail(e, SS_E_AUTH, "the server sent a challenge that is not base64");
  if (status == SS_E_FULL)
    return ss_fail(e, SS_E_AUTH, "the server sent a challenge of more than %d bytes", SS_SASL_BYTES);
  return status == SS_OK ? SS_OK : ss_fail(e, status, "no memory for a challenge");
}

/* The mechanism is the caller's: so is the challenge. */
static ss_status pass_on(ss_login *l, ss_event *event, ss_error *e)
{
  event->type = SS_EVENT_CHALLENGE;
  event->challenge = bytes_of(&l->sasl.challenge);
  event->challenge_length = ss_buf_len(&l->sasl.challenge);
  return ss_sasl_count(&l->sasl, e);
}

/* A challenge is answered here, where the mechanism is ours; the caller sees only the outcome of AUTH. SS_AGAIN: go on. */
static ss_status on_challenge(ss_login *l, ss_proto *p, ss_event *event, ss_error *e)
{
  ss_buf *challenge = &l->sasl.challenge;
  ss_status status = decode(challenge, &event->reply, e);
  if (status != SS_OK) return status;
  if (l->initial_held) {
    l->initial_held = false;
    return send_response(l, p, e);
  }
  if (!l->sasl.exchange.mechanism) return pass_on(l, event, e);
  status = ss_sasl_step(&l->sasl, bytes_of(challenge), ss_buf_len(challenge), e);
  return status == SS_OK ? send_response(l, p, e) : status;
}

/* 235 counts only when the mechanism has said all it has to say, and seen all it has to see: else the server never saw
 * what it accepts, or never proved what it has to prove. */
ss_status ss_login_reply(ss_login *l, ss_proto *p, ss_event *event, ss_error *e)
{
  if (event->reply.code == 334) return on_challenge(l, p, event, e);
  bool early = event->reply.code < 400 && (!l->sasl.exchange.done || l->initial_held);
  ss_login_end(l);
  return early ? ss_fail(e, SS_E_AUTH, "the server accepted the login by %s before the exchange was complete",
                         l->sasl.name)
               : SS_OK;
}

ss_status ss_login_respond(ss_login *l, ss_proto *p, const void *response, size_t n, bool done, ss_error *e)
{
  if (!l->sasl.challenged) return ss_fail(e, SS_E_STATE, "no challenge waits for a response");
  if (!response) {
    ss_sasl_take_back(&l->sasl);
    return ss_proto_cancel(p, e);
  }
  ss_status status = ss_sasl_respond(&l->sasl, response, n, done, e);
  if (status == SS_OK) status = send_response(l, p, e);
  return status == SS_AGAIN ? SS_OK : status;
}
