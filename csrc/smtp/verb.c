/* verb: see verb.h. The table is laid out by hand. */
#include "smtp/verb.h"

#define IN(state) (1U << (state))

/* clang-format off */
static const ss_verb_rule rules[SS_VERBS] = {
    /*                name         legal in                         sent          done          refused       group        success phase */
    [SS_GREETING]  = {"greeting",  0,                               SS_WAITING,   SS_GREETED,   SS_UNCHANGED, SS_ALONE,    220, SS_PHASE_GREETING},
    [SS_EHLO]      = {"EHLO",      IN(SS_GREETED) | IN(SS_READY),   SS_WAITING,   SS_READY,     SS_UNCHANGED, SS_ALONE,    2,   SS_PHASE_COMMAND},
    [SS_HELO]      = {"HELO",      IN(SS_GREETED) | IN(SS_READY),   SS_WAITING,   SS_READY,     SS_UNCHANGED, SS_ALONE,    2,   SS_PHASE_COMMAND},
    [SS_LHLO]      = {"LHLO",      IN(SS_GREETED) | IN(SS_READY),   SS_WAITING,   SS_READY,     SS_UNCHANGED, SS_ALONE,    2,   SS_PHASE_COMMAND},
    [SS_STARTTLS]  = {"STARTTLS",  IN(SS_READY),                    SS_WAITING,   SS_WAITING,   SS_UNCHANGED, SS_ALONE,    220, SS_PHASE_COMMAND},
    [SS_AUTH]      = {"AUTH",      IN(SS_READY),                    SS_WAITING,   SS_READY,     SS_UNCHANGED, SS_ALONE,    235, SS_PHASE_COMMAND},
    [SS_MAIL]      = {"MAIL",      IN(SS_READY),                    SS_OPEN,      SS_OPEN,      SS_UNCHANGED, SS_ANYWHERE, 2,   SS_PHASE_COMMAND},
    [SS_RCPT]      = {"RCPT",      IN(SS_OPEN) | IN(SS_ADDRESSED),  SS_ADDRESSED, SS_ADDRESSED, SS_UNCHANGED, SS_ANYWHERE, 2,   SS_PHASE_COMMAND},
    [SS_DATA]      = {"DATA",      IN(SS_ADDRESSED),                SS_WAITING,   SS_BODY,      SS_UNCHANGED, SS_LAST,     354, SS_PHASE_DATA},
    /* Whatever the reply to the lone dot says, the transaction is over (RFC 5321 section 4.1.1.4). */
    [SS_END]       = {"end",       IN(SS_BODY),                     SS_READY,     SS_READY,     SS_READY,     SS_ANYWHERE, 2,   SS_PHASE_FINAL},
    /* After a refused BDAT nobody can tell where the server is until RSET was given (RFC 3030 section 2). A BDAT LAST that
       has no reply yet may be refused: a MAIL behind it would then be a nested one, be refused as such, and what follows
       it would go out under the sender of the message before. */
    [SS_BDAT]      = {"BDAT",      IN(SS_ADDRESSED) | IN(SS_CHUNKED), SS_CHUNKED,   SS_CHUNKED, SS_UNSETTLED, SS_ANYWHERE, 2,   SS_PHASE_BODY},
    [SS_BDAT_LAST] = {"BDAT LAST", IN(SS_ADDRESSED) | IN(SS_CHUNKED), SS_UNSETTLED, SS_READY,   SS_UNSETTLED, SS_ANYWHERE, 2,   SS_PHASE_FINAL},
    [SS_RSET]      = {"RSET",      IN(SS_READY) | IN(SS_OPEN) | IN(SS_ADDRESSED) | IN(SS_CHUNKED) | IN(SS_UNSETTLED),
                                                                    SS_READY,     SS_READY,     SS_UNCHANGED, SS_ANYWHERE, 2,   SS_PHASE_COMMAND},
    [SS_NOOP]      = {"NOOP",      IN(SS_READY) | IN(SS_OPEN) | IN(SS_ADDRESSED) | IN(SS_CHUNKED) | IN(SS_UNSETTLED),
                                                                    SS_UNCHANGED, SS_UNCHANGED, SS_UNCHANGED, SS_LAST,     2,   SS_PHASE_COMMAND},
    [SS_QUIT]      = {"QUIT",      IN(SS_GREETED) | IN(SS_READY) | IN(SS_OPEN) | IN(SS_ADDRESSED) | IN(SS_CHUNKED) | IN(SS_UNSETTLED),
                                                                    SS_ENDED,     SS_ENDED,     SS_UNCHANGED, SS_LAST,     2,   SS_PHASE_COMMAND},
};
/* clang-format on */

const ss_verb_rule *ss_verb_rule_of(ss_verb verb)
{
  return &rules[verb];
}

ss_outcome ss_verb_outcome(ss_verb verb, int code)
{
  int success = rules[verb].success, class = code / 100;
  if (class == 4 || class == 5) return SS_REFUSAL;
  if (verb == SS_AUTH && code == 334) return SS_INTERIM;
  return code == success || class == success ? SS_SUCCESS : SS_VIOLATION;
}

const char *ss_phase_name(ss_phase phase)
{
  static const char *const names[SS_PHASES] = {"greeting", "command", "tls", "data", "body", "final"};
  return names[phase];
}

const char *ss_state_name(ss_state state)
{
  static const char *const names[SS_STATES] = {
      [SS_WAITING] = "while a reply is awaited",
      [SS_GREETED] = "before EHLO",
      [SS_READY] = "between transactions",
      [SS_OPEN] = "before a recipient was given",
      [SS_ADDRESSED] = "after a recipient was given",
      [SS_BODY] = "inside a message",
      [SS_CHUNKED] = "inside a message that is sent in parts",
      [SS_UNSETTLED] = "before the last message was accepted or RSET was given",
      [SS_ENDED] = "after the connection was ended",
  };
  return names[state];
}
