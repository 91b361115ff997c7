/* verb: what may happen when, in tables.
 *
 * A connection has two states: the one its sent commands lead to if all succeed (`sending`, which decides what may be
 * queued) and the one that replies have confirmed (`settled`). This file says which verbs are legal in which state,
 * where they lead, what may share a flight with them, and which reply means success. It holds no code that runs a
 * connection. */
#ifndef SS_VERB_H
#define SS_VERB_H

#include <stdbool.h>
#include <stdint.h>

typedef enum ss_verb {
  SS_GREETING, /* not sent: the server's first reply, waited for like an answer */
  SS_EHLO,
  SS_HELO,
  SS_LHLO,
  SS_STARTTLS,
  SS_AUTH,
  SS_MAIL,
  SS_RCPT,
  SS_DATA,
  SS_END,       /* the lone dot that ends the message */
  SS_BDAT,      /* a part of a message with its octets (RFC 3030) */
  SS_BDAT_LAST, /* and the part that ends it */
  SS_RSET,
  SS_NOOP,
  SS_QUIT,
  SS_VERBS
} ss_verb;

typedef enum ss_state {
  SS_WAITING,   /* nothing may be queued before a reply tells where we are */
  SS_GREETED,   /* greeted, or TLS just began: the server's offers are unknown */
  SS_READY,     /* between transactions */
  SS_OPEN,      /* MAIL was given */
  SS_ADDRESSED, /* and at least one RCPT */
  SS_BODY,      /* the server waits for the message */
  SS_CHUNKED,   /* a part of it was given with BDAT */
  SS_UNSETTLED, /* BDAT LAST was given, or a part was refused: only RSET is sure to end the transaction */
  SS_ENDED,     /* QUIT was given, or the server took its leave */
  SS_STATES,
  SS_UNCHANGED = SS_STATES /* in the table: stay where we are */
} ss_state;

/* What may share a flight (RFC 2920 section 3.1). */
typedef enum ss_group {
  SS_ANYWHERE, /* anywhere in a group */
  SS_LAST,     /* only as its last command */
  SS_ALONE     /* waits for every reply before it, and is waited for */
} ss_group;

/* Which time-out a driver applies; see ss_conn_phase. */
typedef enum ss_phase {
  SS_PHASE_GREETING,
  SS_PHASE_COMMAND,
  SS_PHASE_TLS,
  SS_PHASE_DATA,
  SS_PHASE_BODY,
  SS_PHASE_FINAL,
  SS_PHASES
} ss_phase;

typedef struct ss_verb_rule {
  const char *name;
  uint16_t legal;   /* set of ss_state in which it may be queued */
  ss_state sent;    /* the sending state once it is queued */
  ss_state done;    /* the settled state once it succeeded */
  ss_state refused; /* and once it was refused */
  ss_group group;
  int success; /* the one code that means success, or 2 for any 2yz (RFC 5321 section 4.3.2: the first digit decides) */
  ss_phase phase;
} ss_verb_rule;

/* Never NULL for a verb below SS_VERBS. */
const ss_verb_rule *ss_verb_rule_of(ss_verb verb);

static inline bool ss_verb_is_legal(ss_verb verb, ss_state state)
{
  return ss_verb_rule_of(verb)->legal >> state & 1;
}

typedef enum ss_outcome { SS_SUCCESS, SS_REFUSAL, SS_INTERIM, SS_VIOLATION } ss_outcome;

/* The state that follows `now`, where the table says `to`. */
static inline ss_state ss_state_after(ss_state now, ss_state to)
{
  return to == SS_UNCHANGED ? now : to;
}

/* What a reply code means as an answer to a verb. A positive answer of the wrong kind (250 to DATA, 354 to the final
 * dot, 235 to anything but AUTH) is a violation, never a success and never a refusal. */
ss_outcome ss_verb_outcome(ss_verb verb, int code);

/* "greeting", "command", … ; "between transactions", … */
const char *ss_phase_name(ss_phase phase);
const char *ss_state_name(ss_state state);

#endif
