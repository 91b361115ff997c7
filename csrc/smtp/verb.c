/* verb: see verb.h. The table is laid out by hand. */
#include "smtp/verb.h"

#define IN(state) (1U << (state))

/* clang-format off */
static const ss_verb_rule rules[SS_VERBS] = {
    /*               name        legal in                             sent          done          group       success phase */
    [SS_GREETING] = {"greeting", 0,                                   SS_WAITING,   SS_GREETED,   SS_ALONE,    220, SS_PHASE_GREETING},
    [SS_EHLO]     = {"EHLO",     IN(SS_GREETED) | IN(SS_READY),       SS_WAITING,   SS_READY,     SS_ALONE,    2,   SS_PHASE_COMMAND},
    [SS_HELO]     = {"HELO",     IN(SS_GREETED) | IN(SS_READY),       SS_WAITING,   SS_READY,     SS_ALONE,    2,   SS_PHASE_COMMAND},
    [SS_LHLO]     = {"LHLO",     IN(SS_GREETED) | IN(SS_READY),       SS_WAITING,   SS_READY,     SS_ALONE,    2,   SS_PHASE_COMMAND},
    [SS_STARTTLS] = {"STARTTLS", IN(SS_READY),                        SS_WAITING,   SS_WAITING,   SS_ALONE,    220, SS_PHASE_COMMAND},
    [SS_AUTH]     = {"AUTH",     IN(SS_READY),                        SS_WAITING,   SS_READY,     SS_ALONE,    235, SS_PHASE_COMMAND},
    [SS_MAIL]     = {"MAIL",     IN(SS_READY),                        SS_OPEN,      SS_OPEN,      SS_ANYWHERE, 2,   SS_PHASE_COMMAND},
    [SS_RCPT]     = {"RCPT",     IN(SS_OPEN) | IN(SS_ADDRESSED),      SS_ADDRESSED, SS_ADDRESSED, SS_ANYWHERE, 2,   SS_PHASE_COMMAND},
    [SS_DATA]     = {"DATA",     IN(SS_ADDRESSED),                    SS_WAITING,   SS_BODY,      SS_LAST,     354, SS_PHASE_DATA},
    [SS_END]      = {"end",      IN(SS_BODY),                         SS_READY,     SS_READY,     SS_ANYWHERE, 2,   SS_PHASE_FINAL},
    [SS_RSET]     = {"RSET",     IN(SS_READY) | IN(SS_OPEN) | IN(SS_ADDRESSED),
                                                                      SS_READY,     SS_READY,     SS_ANYWHERE, 2,   SS_PHASE_COMMAND},
    [SS_NOOP]     = {"NOOP",     IN(SS_READY) | IN(SS_OPEN) | IN(SS_ADDRESSED),
                                                                      SS_UNCHANGED, SS_UNCHANGED, SS_LAST,     2,   SS_PHASE_COMMAND},
    [SS_QUIT]     = {"QUIT",     IN(SS_GREETED) | IN(SS_READY) | IN(SS_OPEN) | IN(SS_ADDRESSED),
                                                                      SS_ENDED,     SS_ENDED,     SS_LAST,     2,   SS_PHASE_COMMAND},
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
      [SS_ENDED] = "after the connection was ended",
  };
  return names[state];
}
