/* proto: see proto.h. Here: what goes out; what comes in is in answer.c. */
#include "smtp/proto.h"
#include "smtp/auth.h"
#include "smtp/mailbox.h"

#include <string.h>

void ss_proto_init(ss_proto *p)
{
  memset(p, 0, sizeof *p);
  ss_buf_init(&p->in, SS_IN_CAP);
  ss_buf_init(&p->out, SS_OUT_CAP);
  ss_reply_reader_init(&p->reader);
  ss_caps_init(&p->caps);
  ss_queue_init(&p->queue);
  p->sending = p->settled = SS_WAITING;
  /* The greeting is the answer to a command that was never sent: so it needs no rule of its own when it arrives. */
  ss_queue_add(&p->queue, SS_GREETING, 0);
  ss_queue_release(&p->queue);
}

void ss_proto_free(ss_proto *p)
{
  ss_buf_free(&p->in);
  ss_buf_free(&p->out);
  ss_reply_reader_free(&p->reader);
  ss_caps_free(&p->caps);
  ss_queue_free(&p->queue);
}

/* ---- commands ------------------------------------------------------------------------------------------------- */

static ss_status check_legal(const ss_proto *p, ss_verb verb, ss_error *e)
{
  if (ss_verb_is_legal(verb, p->sending)) return SS_OK;
  return ss_fail(e, SS_E_STATE, "%s is not allowed %s", ss_verb_rule_of(verb)->name,
                 ss_state_name(p->sending));
}

static ss_status memory_or_full(ss_status status, ss_error *e)
{
  if (status == SS_E_MEMORY) return ss_fail(e, status, "no memory for a command");
  if (status == SS_E_FULL) return ss_fail(e, status, "too many commands wait for their replies");
  return status;
}

/* Turns what was appended to the queue's text since `mark` into a command, or takes it back. */
static int64_t enqueue(ss_proto *p, ss_verb verb, size_t mark, ss_status built, ss_error *e)
{
  int64_t tag = built;
  if (built == SS_OK) tag = ss_queue_add(&p->queue, verb, ss_buf_len(&p->queue.text) - mark);
  if (tag < 0) {
    ss_buf_cut(&p->queue.text, mark);
    return memory_or_full((ss_status)tag, e);
  }
  p->sending = ss_state_after(p->sending, ss_verb_rule_of(verb)->sent);
  return tag;
}

/* "VERB argument\r\n"; the argument may be NULL. */
static int64_t plain_command(ss_proto *p, ss_verb verb, const char *argument, size_t n, ss_error *e)
{
  ss_buf *line = &p->queue.text;
  size_t mark = ss_buf_len(line);
  ss_status status = ss_buf_puts(line, ss_verb_rule_of(verb)->name);
  if (status == SS_OK && argument) status = ss_buf_puts(line, " ");
  if (status == SS_OK && argument) status = ss_buf_append(line, argument, n);
  if (status == SS_OK) status = ss_buf_puts(line, "\r\n");
  return enqueue(p, verb, mark, status, e);
}

int64_t ss_proto_command(ss_proto *p, ss_verb verb, const char *argument, size_t n, ss_error *e)
{
  ss_status status = check_legal(p, verb, e);
  if (status != SS_OK) return status;
  if (argument) {
    const char *wrong = ss_domain_check(argument, n);
    if (wrong) return ss_fail(e, SS_E_ARGUMENT, "the name for %s %s", ss_verb_rule_of(verb)->name, wrong);
  }
  if (verb == SS_DATA && p->binary)
    return ss_fail(e, SS_E_STATE, "a binary message goes by BDAT, not by DATA (RFC 3030, 3)");
  if (verb == SS_STARTTLS && !ss_caps_find(&p->caps, "STARTTLS", NULL))
    return ss_fail(e, SS_E_UNOFFERED, "the server does not offer STARTTLS");
  return plain_command(p, verb, argument, n, e);
}

static ss_status check_mailbox(const ss_proto *p, const char *s, size_t n, bool utf8_declared, ss_error *e)
{
  ss_mailbox box;
  const char *wrong = ss_mailbox_parse(s, n, &box);
  if (wrong) return ss_fail(e, SS_E_ARGUMENT, "the address %s", wrong);
  if (box.internationalized && !(utf8_declared && ss_caps_find(&p->caps, "SMTPUTF8", NULL)))
    return ss_fail(e, SS_E_UNOFFERED, "the address is not ASCII, which needs SMTPUTF8 (RFC 6531)");
  return SS_OK;
}

int64_t ss_proto_mail(ss_proto *p, const char *mailbox, size_t n, const ss_mail_options *o, ss_error *e)
{
  ss_status status = check_legal(p, SS_MAIL, e);
  if (status == SS_OK && n) status = check_mailbox(p, mailbox, n, o->smtputf8, e);
  if (status != SS_OK) return status;
  ss_buf *line = &p->queue.text;
  size_t mark = ss_buf_len(line);
  status = ss_buf_puts(line, "MAIL FROM:<");
  if (status == SS_OK) status = ss_buf_append(line, mailbox, n);
  if (status == SS_OK) status = ss_buf_puts(line, ">");
  if (status == SS_OK) status = ss_mail_params(line, o, &p->caps, e);
  if (status == SS_OK) status = ss_buf_puts(line, "\r\n");
  int64_t tag = enqueue(p, SS_MAIL, mark, status, e);
  if (tag < 0) return tag;
  p->smtputf8 = o->smtputf8;
  p->binary = o->body == SS_BODY_BINARY;
  p->begun++;
  return tag;
}

int64_t ss_proto_rcpt(ss_proto *p, const char *mailbox, size_t n, const ss_rcpt_options *o, ss_error *e)
{
  ss_status status = check_legal(p, SS_RCPT, e);
  if (status == SS_OK) status = check_mailbox(p, mailbox, n, p->smtputf8, e);
  if (status != SS_OK) return status;
  ss_buf *line = &p->queue.text;
  size_t mark = ss_buf_len(line);
  status = ss_buf_puts(line, "RCPT TO:<");
  if (status == SS_OK) status = ss_buf_append(line, mailbox, n);
  if (status == SS_OK) status = ss_buf_puts(line, ">");
  if (status == SS_OK) status = ss_rcpt_params(line, mailbox, n, o, &p->caps, e);
  if (status == SS_OK) status = ss_buf_puts(line, "\r\n");
  return enqueue(p, SS_RCPT, mark, status, e);
}

ss_status ss_proto_check_auth(const ss_proto *p, const char *mechanism, ss_error *e)
{
  ss_status status = check_legal(p, SS_AUTH, e);
  if (status != SS_OK) return status;
  if (p->authenticated)
    return ss_fail(e, SS_E_STATE, "this connection is authenticated already (RFC 4954, 4)");
  if (!ss_caps_find(&p->caps, "AUTH", NULL))
    return ss_fail(e, SS_E_UNOFFERED, "the server does not offer AUTH");
  if (!ss_caps_offers(&p->caps, "AUTH", mechanism))
    return ss_fail(e, SS_E_UNOFFERED, "the server does not offer AUTH %s", mechanism);
  return SS_OK;
}

int64_t ss_proto_auth(ss_proto *p, const char *mechanism, const uint8_t *initial, size_t n, ss_error *e)
{
  ss_status status = ss_proto_check_auth(p, mechanism, e);
  if (status != SS_OK) return status;
  size_t mark = ss_buf_len(&p->queue.text);
  return enqueue(p, SS_AUTH, mark, ss_auth_command(&p->queue.text, mechanism, initial, n), e);
}

/* ---- what goes out -------------------------------------------------------------------------------------------- */

static bool may_release(ss_proto *p, const ss_command *next)
{
  const ss_command *last = ss_queue_newest_released(&p->queue);
  /* With nothing outstanding no byte may be unread: it would be taken for the answer (spec/security: replies ahead of time). */
  if (!last) return !ss_reply_unfinished(&p->reader, &p->in);
  return p->caps.pipelining && p->queue.unreplied < SS_QUEUE_UNREPLIED &&
         ss_verb_rule_of(last->verb)->group == SS_ANYWHERE && ss_verb_rule_of(next->verb)->group != SS_ALONE;
}

ss_status ss_proto_release(ss_proto *p)
{
  ss_queue *q = &p->queue;
  ss_command *next;
  while ((next = ss_queue_next(q)) && may_release(p, next) && next->length <= ss_buf_room(&p->out)) {
    if (q->text.secret) ss_buf_mark_secret(&p->out);
    if (ss_buf_append(&p->out, ss_buf_data(&q->text), next->length) != SS_OK) return SS_E_MEMORY;
    ss_buf_consume(&q->text, next->length);
    p->released += next->length;
    next->ends_at = p->released;
    ss_queue_release(q);
  }
  return SS_OK;
}

/* Behind AUTH, what the client says to a challenge is a part of that command. */
static ss_status answer_challenge(ss_proto *p, ss_status status, size_t before, ss_command *auth, ss_error *e)
{
  if (status != SS_OK) {
    ss_buf_cut(&p->out, before);
    return memory_or_full(status, e);
  }
  p->released += ss_buf_len(&p->out) - before;
  auth->ends_at = p->released;
  auth->wire_at = 0;
  return SS_OK;
}

static ss_command *unanswered_auth(ss_proto *p, ss_error *e)
{
  ss_command *oldest = ss_queue_oldest(&p->queue);
  if (oldest && oldest->verb == SS_AUTH) return oldest;
  ss_fail(e, SS_E_STATE, "no challenge waits for a response");
  return NULL;
}

ss_status ss_proto_respond(ss_proto *p, const uint8_t *response, size_t n, ss_error *e)
{
  ss_command *auth = unanswered_auth(p, e);
  size_t before = ss_buf_len(&p->out);
  return auth ? answer_challenge(p, ss_auth_response(&p->out, response, n), before, auth, e) : SS_E_STATE;
}

ss_status ss_proto_cancel(ss_proto *p, ss_error *e)
{
  ss_command *auth = unanswered_auth(p, e);
  size_t before = ss_buf_len(&p->out);
  return auth ? answer_challenge(p, ss_buf_puts(&p->out, "*\r\n"), before, auth, e) : SS_E_STATE;
}

static ss_status check_body(ss_proto *p, ss_error *e)
{
  if (p->sending != SS_BODY) return check_legal(p, SS_END, e);
  if (ss_reply_unfinished(&p->reader, &p->in))
    return ss_fail(e, SS_E_STATE, "the server answered before the message ended: read its reply");
  return SS_OK;
}

ss_status ss_proto_body(ss_proto *p, const void *bytes, size_t n, ss_error *e)
{
  ss_status status = check_body(p, e);
  if (status != SS_OK) return status;
  if (n > SS_BODY_MAX)
    return ss_fail(e, SS_E_ARGUMENT, "more than %d bytes of a message at once", SS_BODY_MAX);
  size_t before = ss_buf_len(&p->out);
  status = ss_data_write(&p->data, &p->out, bytes, n);
  if (status == SS_E_ARGUMENT) return ss_fail(e, status, "the message contains a NUL");
  if (status != SS_OK) return ss_fail(e, status, "no room for more of the message");
  p->released += ss_buf_len(&p->out) - before;
  return SS_OK;
}

/* Adds a command whose bytes stand in `out` already, behind `before` others, or takes them back. */
static int64_t add_released(ss_proto *p, ss_verb verb, size_t before)
{
  int64_t tag = ss_queue_add(&p->queue, verb, 0);
  if (tag < 0) {
    ss_buf_cut(&p->out, before);
    return tag;
  }
  p->released += ss_buf_len(&p->out) - before;
  ss_queue_next(&p->queue)->ends_at = p->released;
  ss_queue_release(&p->queue);
  p->sending = ss_verb_rule_of(verb)->sent;
  return tag;
}

int64_t ss_proto_write_end(ss_proto *p, ss_error *e)
{
  size_t before = ss_buf_len(&p->out);
  int64_t tag = ss_data_end(&p->data, &p->out);
  if (tag == SS_OK) tag = add_released(p, SS_END, before);
  return tag < 0 ? ss_fail(e, (ss_status)tag, "no room for the end of the message") : tag;
}

int64_t ss_proto_end(ss_proto *p, ss_error *e)
{
  ss_status status = check_body(p, e);
  return status == SS_OK ? ss_proto_write_end(p, e) : status;
}

/* Whether nothing stands between what was queued and `out`, so that a command may be written there at once. */
static bool may_write(ss_proto *p, ss_verb verb)
{
  const ss_command command = {.verb = verb}, *last = ss_queue_newest_released(&p->queue);
  /* Where a part was refused, an LMTP server may answer the end of the message once, or for each recipient: nobody knows
     whose the next reply would be. So each part is waited for. */
  if (p->lmtp && last && last->verb == SS_BDAT) return false;
  return !ss_queue_next(&p->queue) && may_release(p, &command);
}

int64_t ss_proto_chunk(ss_proto *p, const void *bytes, size_t n, bool last, ss_error *e)
{
  ss_verb verb = last ? SS_BDAT_LAST : SS_BDAT;
  ss_status status = check_legal(p, verb, e);
  if (status != SS_OK) return status;
  if (!p->caps.chunking) return ss_fail(e, SS_E_UNOFFERED, "the server does not offer CHUNKING");
  if (n > SS_BODY_MAX)
    return ss_fail(e, SS_E_ARGUMENT, "more than %d bytes of a message at once", SS_BODY_MAX);
  if (ss_proto_release(p) != SS_OK) return memory_or_full(SS_E_MEMORY, e);
  if (!may_write(p, verb))
    return ss_fail(e, SS_E_FULL, "what was queued before must be written, and answered, first");
  ss_data after = p->data;
  if (p->sending == SS_ADDRESSED) {
    ss_data_begin(&after, false);
    after.binary = p->binary;
  }
  size_t before = ss_buf_len(&p->out);
  int64_t tag = ss_data_chunk(&after, &p->out, bytes, n, last);
  if (tag == SS_E_ARGUMENT) return ss_fail(e, SS_E_ARGUMENT, "the message contains a NUL");
  if (tag == SS_OK) tag = add_released(p, verb, before);
  if (tag < 0) return ss_fail(e, (ss_status)tag, "no room for more of the message");
  p->data = after;
  return tag;
}

void ss_proto_secured(ss_proto *p)
{
  ss_caps_forget(&p->caps);
  p->authenticated = false;
  p->sending = p->settled = SS_GREETED;
}

ss_phase ss_proto_phase(ss_proto *p)
{
  const ss_command *oldest = ss_queue_oldest(&p->queue);
  if (oldest) return ss_verb_rule_of(oldest->verb)->phase;
  return p->settled == SS_BODY ? SS_PHASE_BODY : SS_PHASE_COMMAND;
}
