/* conn: the facade (smtpsec.h). It routes bytes: wire → (tls) → proto → events, commands → proto → (tls) → wire, and
 * holds the gates of the security policy. How SMTP, TLS or a login work is not its business. */
#include "base/wipe.h"
#include "login.h"
#include "smtp/proto.h"
#include "smtpsec.h"

#include <stdlib.h>
#include <string.h>

enum { RECORD = 16384 }; /* most text in a record of TLS (RFC 8446 section 5.1) */

struct ss_conn {
  ss_tls_mode mode;
  bool insecure_cleartext;
  ss_proto proto;
  ss_login login;
  ss_tls *tls;        /* made at birth, so that a senseless peer is an error before anything is sent */
  bool tls_running;   /* all bytes go through it */
  bool tls_up;        /* and its handshake is done */
  bool eof;           /* the peer ended the stream */
  uint64_t encrypted; /* bytes of text given to TLS, or sent before it */
  uint64_t wire_sent; /* bytes counted as written */
  ss_error fault;     /* status SS_OK while there is none */
  bool muted;         /* the fault is that TLS takes nothing more: what had come is still to be heard */
};

/* ---- birth and death ------------------------------------------------------------------------------------------ */

ss_conn *ss_conn_new(const ss_conn_options *o, ss_error *e)
{
  ss_conn *c = calloc(1, sizeof *c);
  if (!c) {
    ss_fail(e, SS_E_MEMORY, "no memory for a connection");
    return NULL;
  }
  c->mode = o->mode;
  c->insecure_cleartext = o->insecure_cleartext;
  ss_proto_init(&c->proto);
  c->proto.caps.without_pipelining = o->without_pipelining;
  c->proto.caps.without_chunking = o->without_chunking;
  ss_login_init(&c->login);
  if (o->mode == SS_TLS_NONE) return c;
  c->tls = ss_tls_new(o->context, &o->peer, o->session, e);
  c->tls_running = o->mode == SS_TLS_IMPLICIT;
  if (c->tls) return c;
  ss_conn_free(c);
  return NULL;
}

void ss_conn_free(ss_conn *c)
{
  if (!c) return;
  ss_login_free(&c->login);
  ss_proto_free(&c->proto);
  ss_tls_free(c->tls);
  free(c);
}

/* ---- errors --------------------------------------------------------------------------------------------------- */

static ss_status repeat(const ss_conn *c, ss_error *e)
{
  *e = c->fault;
  return e->status;
}

/* Keeps what `e` says as the end of this connection. */
static ss_status fatal(ss_conn *c, const ss_error *e)
{
  c->fault = *e;
  c->muted = false;
  ss_login_end(&c->login);
  return e->status;
}

static ss_status fatal_tls(ss_conn *c, ss_error *e)
{
  *e = *ss_tls_error(c->tls);
  return fatal(c, e);
}

static ss_status closed(ss_conn *c, ss_error *e)
{
  bool middle = ss_reply_unfinished(&c->proto.reader, &c->proto.in);
  bool cut = c->tls_running && !ss_tls_closed_cleanly(c->tls);
  ss_fail(e, SS_E_CLOSED, "the server closed the connection%s%s", middle ? " in the middle of a reply" : "",
          cut ? " without saying so in TLS (truncated?)" : "");
  return fatal(c, e);
}

bool ss_conn_failed(const ss_conn *c)
{
  return c->fault.status != SS_OK;
}

/* ---- bytes in ------------------------------------------------------------------------------------------------- */

ss_status ss_conn_feed(ss_conn *c, const void *bytes, size_t n, ss_error *e)
{
  if (ss_conn_failed(c)) return repeat(c, e);
  if (n == 0) {
    c->eof = true;
    if (c->tls_running) ss_tls_eof(c->tls);
    return SS_OK;
  }
  ss_status status = c->tls_running ? ss_tls_feed(c->tls, bytes, n) : ss_buf_append(&c->proto.in, bytes, n);
  if (status == SS_OK) return SS_OK;
  if (c->tls_running && ss_tls_error(c->tls)->status != SS_OK) return fatal_tls(c, e);
  ss_fail(e, status,
          status == SS_E_MEMORY ? "no memory for what the server sent" : "more was fed than was asked for");
  return status == SS_E_FULL ? status : fatal(c, e);
}

/* Moves what TLS has decrypted to proto. SS_OK when there was something. */
static ss_status more_text(ss_conn *c, ss_error *e)
{
  if (!c->tls_running) return c->eof ? closed(c, e) : SS_AGAIN;
  switch (ss_tls_read(c->tls, &c->proto.in)) {
  case SS_OK: return SS_OK;
  case SS_AGAIN:
  case SS_E_FULL: return SS_AGAIN;
  case SS_E_CLOSED: return closed(c, e);
  default: return fatal_tls(c, e);
  }
}

static ss_status handshake(ss_conn *c, ss_event *event, ss_error *e)
{
  ss_status status = ss_tls_handshake(c->tls);
  if (status == SS_AGAIN || status == SS_E_FULL) return SS_AGAIN;
  if (status != SS_OK) return fatal_tls(c, e);
  c->tls_up = true;
  /* Inside implicit TLS the greeting is still to come; after STARTTLS there is none, and EHLO is due again. */
  if (c->mode != SS_TLS_IMPLICIT) ss_proto_secured(&c->proto);
  *event = (ss_event){.type = SS_EVENT_SECURED, .verb = SS_VERBS};
  return SS_OK;
}

/* Gives TLS what waits in clear, one record at a time. Nobody can read a record before its last byte, so there is the
 * end of every command in it. */
static ss_status encrypt(ss_conn *c, ss_error *e)
{
  ss_buf *text = &c->proto.out;
  while (ss_buf_len(text)) {
    size_t n = ss_buf_len(text), taken, lent;
    ss_status status = ss_tls_write(c->tls, ss_buf_data(text), n < RECORD ? n : RECORD, &taken);
    if (status == SS_E_FULL) return SS_OK;
    if (status == SS_E_STATE) {
      ss_fail(e, SS_E_CLOSED, "TLS was ended, and there is more to send");
      return fatal(c, e);
    }
    if (status != SS_OK) {
      fatal_tls(c, e);
      c->muted = true;
      return status;
    }
    ss_buf_consume(text, taken);
    c->encrypted += taken;
    ss_tls_output(c->tls, &lent);
    ss_queue_place(&c->proto.queue, c->encrypted, c->wire_sent + lent);
  }
  return SS_OK;
}

/* ---- events --------------------------------------------------------------------------------------------------- */

/* RFC 4954 section 4: "*" takes AUTH back. Said, where it still can be, before a connection ends whose server failed its part. */
static void take_back(ss_conn *c)
{
  ss_error ignored;
  ss_proto_cancel(&c->proto, &ignored);
  if (c->tls_up) encrypt(c, &ignored);
}

static ss_status on_auth(ss_conn *c, ss_event *event, ss_error *e)
{
  ss_status status = ss_login_reply(&c->login, &c->proto, event, e);
  if (status == SS_E_AUTH && event->reply.code == 334) take_back(c);
  return status;
}

/* spec/security: response injection. Not one byte may follow the 220, be it a whole line or the beginning of one. */
static ss_status on_starttls(ss_conn *c, const ss_reply *reply, ss_error *e)
{
  if (reply->code != 220) return SS_OK;
  if (ss_reply_unfinished(&c->proto.reader, &c->proto.in))
    return ss_fail(e, SS_E_PROTOCOL,
                   "bytes in clear follow the server's reply to STARTTLS: somebody is injecting them");
  c->tls_running = true;
  if (c->eof) ss_tls_eof(c->tls);
  return SS_OK;
}

static bool is_written(const ss_conn *c, const ss_command *command)
{
  uint64_t place = c->tls_running ? command->wire_at : command->ends_at;
  return place && c->wire_sent >= place;
}

static bool carries_message(ss_verb verb)
{
  return verb == SS_END || verb == SS_BDAT || verb == SS_BDAT_LAST;
}

/* spec/security: replies ahead of time. A command that is not wholly out cannot have been answered, but for two ways of
 * breaking off: 421, and the refusal of a message before its end. RFC 3030 section 2 has a server take all octets of a BDAT
 * before it refuses them; from one that does not, nobody knows whether it would take the rest for commands. So the
 * refusal is told, and it is over, as with DATA. */
static ss_status check_written(ss_conn *c, const ss_command *command, const ss_reply *reply, ss_error *e)
{
  bool was_sent = command->tag && command->verb != SS_GREETING;
  if (!was_sent || is_written(c, command)) return SS_OK;
  if (reply->code != 421 && !(carries_message(command->verb) && reply->code >= 400))
    return ss_fail(e, SS_E_PROTOCOL, "the server answered %s before it was sent",
                   ss_verb_rule_of(command->verb)->name);
  ss_proto_leave(&c->proto);
  return SS_OK;
}

static ss_status react(ss_conn *c, ss_event *event, ss_error *e)
{
  switch (event->verb) {
  case SS_AUTH: return on_auth(c, event, e);
  case SS_STARTTLS: return on_starttls(c, &event->reply, e);
  default: return SS_OK;
  }
}

ss_status ss_conn_next(ss_conn *c, ss_event *event, ss_error *e)
{
  if (ss_conn_failed(c) && !c->muted) return repeat(c, e);
  if (c->tls_running && !c->tls_up) return handshake(c, event, e);
  for (;;) {
    ss_command command = {.verb = SS_VERBS};
    ss_status status = ss_proto_next(&c->proto, &event->reply, &command, e);
    if (status == SS_AGAIN) {
      status = more_text(c, e);
      if (status == SS_OK) continue;
      return status;
    }
    if (status != SS_OK) return fatal(c, e);
    event->type = SS_EVENT_REPLY;
    event->verb = command.verb;
    event->tag = command.tag;
    status = check_written(c, &command, &event->reply, e);
    if (status == SS_OK) status = react(c, event, e);
    if (status == SS_OK) return SS_OK;
    if (status != SS_AGAIN) return fatal(c, e);
  }
}

/* ---- bytes out ------------------------------------------------------------------------------------------------ */

ss_status ss_conn_output(ss_conn *c, const uint8_t **bytes, size_t *n, ss_error *e)
{
  ss_status status = SS_OK;
  if (!ss_conn_failed(c)) {
    if (ss_proto_release(&c->proto) != SS_OK) {
      ss_fail(e, SS_E_MEMORY, "no memory for what is to be sent");
      status = fatal(c, e);
    } else if (c->tls_up) {
      status = encrypt(c, e);
    }
  }
  if (c->tls_running) {
    *bytes = ss_tls_output(c->tls, n);
  } else {
    *bytes = ss_buf_data(&c->proto.out);
    *n = ss_conn_failed(c) ? 0 : ss_buf_len(&c->proto.out);
  }
  return status;
}

void ss_conn_consumed(ss_conn *c, size_t n)
{
  c->wire_sent += n;
  if (c->tls_running) {
    ss_tls_consumed(c->tls, n);
    return;
  }
  ss_buf_consume(&c->proto.out, n);
  c->encrypted += n;
}

bool ss_conn_sent(ss_conn *c, uint32_t tag)
{
  const ss_command *command = ss_queue_find(&c->proto.queue, tag);
  return !command || is_written(c, command);
}

void ss_conn_close_notify(ss_conn *c)
{
  if (c->tls_up) ss_tls_close_notify(c->tls);
}

/* ---- commands, behind the gates of the policy ----------------------------------------------------------------- */

static ss_status gate(const ss_conn *c, ss_verb verb, ss_error *e)
{
  if (ss_conn_failed(c)) return repeat(c, e);
  bool needs_tls = verb == SS_MAIL || verb == SS_AUTH;
  bool required = c->mode == SS_TLS_IMPLICIT || c->mode == SS_TLS_STARTTLS;
  if (needs_tls && required && !c->tls_up)
    return ss_fail(e, SS_E_POLICY, "%s is refused before TLS is up", ss_verb_rule_of(verb)->name);
  if (verb == SS_AUTH && !ss_conn_is_verified(c) && !c->insecure_cleartext)
    return ss_fail(e, SS_E_POLICY,
                   "a password may only cross a channel that is encrypted to a verified server");
  if (verb == SS_STARTTLS && (!c->tls || c->tls_running))
    return ss_fail(e, SS_E_STATE, "STARTTLS has no place on this connection");
  return SS_OK;
}

/* What a command came to: a tag or a mistake of the caller, which change nothing here, or the end of the connection. */
static int64_t outcome(ss_conn *c, int64_t result, const ss_error *e)
{
  return result <= SS_E_PROTOCOL ? fatal(c, e) : result;
}

int64_t ss_conn_greet(ss_conn *c, ss_verb verb, const char *domain, size_t n, ss_error *e)
{
  ss_status status = gate(c, verb, e);
  return status == SS_OK ? outcome(c, ss_proto_command(&c->proto, verb, domain, n, e), e) : status;
}

int64_t ss_conn_simple(ss_conn *c, ss_verb verb, ss_error *e)
{
  ss_status status = gate(c, verb, e);
  return status == SS_OK ? outcome(c, ss_proto_command(&c->proto, verb, NULL, 0, e), e) : status;
}

int64_t ss_conn_auth(ss_conn *c, const char *mechanism, const ss_credentials *who, ss_error *e)
{
  const ss_mechanism *m = ss_mechanism_find(mechanism);
  ss_binding binding;
  ss_status status = gate(c, SS_AUTH, e);
  if (status == SS_OK && !m) status = ss_fail(e, SS_E_ARGUMENT, "there is no mechanism of this name");
  if (status != SS_OK) return status;
  bool bound = who->binding && ss_conn_binding(c, who->binding, &binding);
  int64_t tag = ss_login_begin(&c->login, &c->proto, m, who, bound ? &binding : NULL, e);
  ss_wipe(&binding, sizeof binding);
  return outcome(c, tag, e);
}

int64_t ss_conn_auth_outside(ss_conn *c, const char *mechanism, const void *initial, size_t n, bool done,
                             ss_error *e)
{
  ss_status status = gate(c, SS_AUTH, e);
  if (status != SS_OK) return status;
  return outcome(c, ss_login_begin_outside(&c->login, &c->proto, mechanism, initial, n, done, e), e);
}

ss_status ss_conn_respond(ss_conn *c, const void *response, size_t n, bool done, ss_error *e)
{
  if (ss_conn_failed(c)) return repeat(c, e);
  return (ss_status)outcome(c, ss_login_respond(&c->login, &c->proto, response, n, done, e), e);
}

int64_t ss_conn_mail(ss_conn *c, const char *mailbox, size_t n, const ss_mail_options *o, ss_error *e)
{
  ss_status status = gate(c, SS_MAIL, e);
  /* RFC 8689 section 4.2.1: from the first hop on. */
  if (status == SS_OK && o->require_tls && !ss_conn_is_verified(c))
    return ss_fail(e, SS_E_POLICY, "a message that requires TLS may only go to a verified server");
  return status == SS_OK ? outcome(c, ss_proto_mail(&c->proto, mailbox, n, o, e), e) : status;
}

int64_t ss_conn_rcpt(ss_conn *c, const char *mailbox, size_t n, const ss_rcpt_options *o, ss_error *e)
{
  ss_status status = gate(c, SS_RCPT, e);
  return status == SS_OK ? outcome(c, ss_proto_rcpt(&c->proto, mailbox, n, o, e), e) : status;
}

ss_status ss_conn_body(ss_conn *c, const void *bytes, size_t n, ss_error *e)
{
  ss_status status = gate(c, SS_END, e);
  return status == SS_OK ? (ss_status)outcome(c, ss_proto_body(&c->proto, bytes, n, e), e) : status;
}

int64_t ss_conn_end(ss_conn *c, ss_error *e)
{
  ss_status status = gate(c, SS_END, e);
  return status == SS_OK ? outcome(c, ss_proto_end(&c->proto, e), e) : status;
}

int64_t ss_conn_chunk(ss_conn *c, const void *bytes, size_t n, bool last, ss_error *e)
{
  ss_status status = gate(c, SS_BDAT, e);
  return status == SS_OK ? outcome(c, ss_proto_chunk(&c->proto, bytes, n, last, e), e) : status;
}

/* ---- what is known -------------------------------------------------------------------------------------------- */

ss_phase ss_conn_phase(ss_conn *c)
{
  return c->tls_running && !c->tls_up ? SS_PHASE_TLS : ss_proto_phase(&c->proto);
}

ss_verb ss_conn_waiting(ss_conn *c)
{
  const ss_command *oldest = ss_queue_oldest(&c->proto.queue);
  return oldest ? oldest->verb : SS_VERBS;
}

const ss_caps *ss_conn_caps(const ss_conn *c)
{
  return &c->proto.caps;
}

ss_tls *ss_conn_tls(const ss_conn *c)
{
  return c->tls_running ? c->tls : NULL;
}

bool ss_conn_binding(const ss_conn *c, const char *type, ss_binding *to)
{
  return c->tls_up && ss_tls_binding(c->tls, type, to);
}

const char *ss_conn_complaint(const ss_conn *c, size_t *n)
{
  *n = ss_buf_len(&c->login.sasl.complaint);
  return (const char *)ss_buf_data(&c->login.sasl.complaint);
}

bool ss_conn_is_verified(const ss_conn *c)
{
  return c->tls_up && ss_tls_is_authenticated(c->tls);
}

size_t ss_conn_room(const ss_conn *c)
{
  return ss_queue_room(&c->proto.queue);
}

size_t ss_conn_unwritten(const ss_conn *c)
{
  size_t n = 0;
  if (c->tls_running) ss_tls_output(c->tls, &n);
  return n + ss_buf_len(&c->proto.out);
}

bool ss_conn_is_ready(const ss_conn *c)
{
  return ss_verb_is_legal(SS_MAIL, c->proto.sending);
}

bool ss_conn_is_idle(ss_conn *c)
{
  return !ss_conn_failed(c) && !c->eof && c->proto.settled == SS_READY && c->proto.sending == SS_READY &&
         ss_queue_is_empty(&c->proto.queue) && !ss_conn_unwritten(c) &&
         !ss_reply_unfinished(&c->proto.reader, &c->proto.in);
}
