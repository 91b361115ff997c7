/* answer: what comes in: which command a reply answers, and what it does to the connection (proto.h, ss_proto_next).
 *
 * Each verb has one function for its effect, beyond the move between states that the verb table says. Nothing is sent
 * from here but the lone dot that RFC 2920 demands. */
#include "smtp/proto.h"

typedef ss_status (*on_reply)(ss_proto *p, bool success, const ss_reply *reply, ss_error *e);

static void finish_transaction(ss_proto *p)
{
  p->mail_accepted = false;
  p->recipients = 0;
}

static ss_status on_greeting(ss_proto *p, bool success, const ss_reply *reply, ss_error *e)
{
  (void)reply, (void)e;
  p->ended |= !success;
  return SS_OK;
}

static ss_status learn(ss_proto *p, const ss_reply *reply, bool extended, ss_error *e)
{
  finish_transaction(p);
  p->lmtp = false;
  ss_status status = ss_caps_learn(&p->caps, reply->text, reply->length, extended);
  return status == SS_OK ? SS_OK : ss_fail(e, status, "no memory for the server's capabilities");
}

static ss_status on_ehlo(ss_proto *p, bool success, const ss_reply *reply, ss_error *e)
{
  return success ? learn(p, reply, true, e) : SS_OK;
}

static ss_status on_lhlo(ss_proto *p, bool success, const ss_reply *reply, ss_error *e)
{
  ss_status status = on_ehlo(p, success, reply, e);
  p->lmtp = success;
  return status;
}

static ss_status on_helo(ss_proto *p, bool success, const ss_reply *reply, ss_error *e)
{
  return success ? learn(p, reply, false, e) : SS_OK;
}

static ss_status on_auth(ss_proto *p, bool success, const ss_reply *reply, ss_error *e)
{
  (void)reply, (void)e;
  p->authenticated = success;
  return SS_OK;
}

static ss_status on_mail(ss_proto *p, bool success, const ss_reply *reply, ss_error *e)
{
  (void)reply, (void)e;
  finish_transaction(p);
  p->begun--;
  p->mail_accepted = success;
  return SS_OK;
}

static ss_status on_rcpt(ss_proto *p, bool success, const ss_reply *reply, ss_error *e)
{
  (void)reply, (void)e;
  /* A recipient accepted without a sender belongs to no transaction. */
  if (success && p->mail_accepted) p->recipients++;
  return SS_OK;
}

static ss_status on_data(ss_proto *p, bool success, const ss_reply *reply, ss_error *e)
{
  (void)reply;
  if (!success) return SS_OK;
  ss_data_begin(&p->data, true);
  p->settled = SS_BODY; /* whatever the replies before this one said */
  if (p->recipients) return SS_OK;
  /* RFC 2920 section 3.1: 354 although every recipient was refused. Only a lone dot may follow; the caller never gets
   * to send the message. */
  int64_t tag = ss_proto_write_end(p, e);
  return tag < 0 ? (ss_status)tag : SS_OK;
}

static ss_status on_end(ss_proto *p, bool success, const ss_reply *reply, ss_error *e)
{
  (void)success, (void)reply, (void)e;
  finish_transaction(p);
  return SS_OK;
}

static ss_status on_bdat(ss_proto *p, bool success, const ss_reply *reply, ss_error *e)
{
  (void)reply, (void)e;
  /* RFC 3030 section 2: no more of a message of which a part was refused. Where MAIL waits for its reply, the caller is at a
     message behind this one already. */
  if (!success && p->sending == SS_CHUNKED && !p->begun) p->sending = SS_UNSETTLED;
  return SS_OK;
}

static ss_status on_rset(ss_proto *p, bool success, const ss_reply *reply, ss_error *e)
{
  (void)reply, (void)e;
  if (success) finish_transaction(p);
  return SS_OK;
}

static ss_status on_quit(ss_proto *p, bool success, const ss_reply *reply, ss_error *e)
{
  (void)success, (void)reply, (void)e;
  p->ended = true;
  return SS_OK;
}

static ss_status on_other(ss_proto *p, bool success, const ss_reply *reply, ss_error *e)
{
  (void)p, (void)success, (void)reply, (void)e;
  return SS_OK;
}

static const on_reply effects[SS_VERBS] = {
    [SS_GREETING] = on_greeting, [SS_EHLO] = on_ehlo, [SS_HELO] = on_helo,     [SS_LHLO] = on_lhlo,
    [SS_STARTTLS] = on_other,    [SS_AUTH] = on_auth, [SS_MAIL] = on_mail,     [SS_RCPT] = on_rcpt,
    [SS_DATA] = on_data,         [SS_END] = on_end,   [SS_RSET] = on_rset,     [SS_NOOP] = on_other,
    [SS_QUIT] = on_quit,         [SS_BDAT] = on_bdat, [SS_BDAT_LAST] = on_end,
};

void ss_proto_leave(ss_proto *p)
{
  p->ended = true;
  p->sending = p->settled = SS_ENDED;
}

/* A reply that no command waits for. */
static ss_status unasked(ss_proto *p, const ss_reply *reply, ss_command *command, ss_error *e)
{
  bool in_body = p->settled == SS_BODY && reply->code >= 400;
  if (reply->code != 421 && !in_body)
    return ss_fail(e, SS_E_PROTOCOL, "the server sent a reply (%d) that no command asked for", reply->code);
  /* Taking its leave, or refusing a message before its end: there is no way back into the dialogue from either. */
  *command = (ss_command){.verb = in_body ? SS_END : SS_VERBS};
  ss_proto_leave(p);
  return SS_OK;
}

/* RFC 2033 section 4.2. Known when the end is answered, and not before: it may have left in one flight with RCPT. */
static unsigned replies_due(const ss_proto *p, ss_verb verb)
{
  bool each = p->lmtp && (verb == SS_END || verb == SS_BDAT_LAST);
  return each && p->recipients ? p->recipients : 1;
}

/* BDAT, unlike DATA, does not ask first: the message is out although its sender, its recipients or a part of it were
 * refused. Who accepts it then has done nobody knows what. */
static bool is_for_somebody(const ss_proto *p)
{
  return p->recipients && ss_verb_is_legal(SS_BDAT_LAST, p->settled);
}

static ss_status answer(ss_proto *p, const ss_reply *reply, ss_command *command, ss_error *e)
{
  const ss_command *oldest = ss_queue_oldest(&p->queue);
  if (!oldest) return unasked(p, reply, command, e);
  *command = *oldest;
  const ss_verb_rule *rule = ss_verb_rule_of(command->verb);
  ss_outcome outcome = ss_verb_outcome(command->verb, reply->code);
  if (outcome == SS_VIOLATION)
    return ss_fail(e, command->verb == SS_AUTH ? SS_E_AUTH : SS_E_PROTOCOL, "the server answered %s with %d",
                   rule->name, reply->code);
  if (outcome == SS_INTERIM) return SS_OK;
  if (outcome == SS_SUCCESS && command->verb == SS_BDAT_LAST && !command->replies && !is_for_somebody(p))
    return ss_fail(e, SS_E_PROTOCOL, "the server accepted a message that it had refused (%d)", reply->code);
  if (outcome == SS_REFUSAL) p->settled = ss_state_after(p->settled, rule->refused);
  bool last = ss_queue_pop(&p->queue, replies_due(p, command->verb));
  if (!last && reply->code != 421) return SS_OK; /* more verdicts on the same message follow */
  bool success = outcome == SS_SUCCESS, greeting = command->verb == SS_GREETING;
  if (success && (greeting || ss_verb_is_legal(command->verb, p->settled)))
    p->settled = ss_state_after(p->settled, rule->done);
  ss_status status = effects[command->verb](p, success, reply, e);
  if (p->ended || reply->code == 421)
    ss_proto_leave(p);
  else if (ss_queue_is_empty(&p->queue))
    p->sending = p->settled;
  return status;
}

ss_status ss_proto_next(ss_proto *p, ss_reply *reply, ss_command *command, ss_error *e)
{
  if (p->ended) return ss_fail(e, SS_E_CLOSED, "the server ended the session");
  ss_status status = ss_reply_read(&p->reader, &p->in, reply, e);
  return status == SS_OK ? answer(p, reply, command, e) : status;
}
