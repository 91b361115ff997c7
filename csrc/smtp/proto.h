/* proto: SMTP as text. Commands in, replies out, bytes on both sides; no TLS, no sockets, no clock, no SASL mechanism.
 *
 * Names of directions are the client's: `in` comes from the server, `out` goes to it. The rules of what may happen when
 * stand in verb.h; this file moves cursors. A mistake of the caller changes nothing; a violation of the server ends the
 * object, and is the business of conn, which keeps it. */
#ifndef SS_PROTO_H
#define SS_PROTO_H

#include "smtp/caps.h"
#include "smtp/data.h"
#include "smtp/param.h"
#include "smtp/queue.h"
#include "smtp/reply.h"

enum {
  SS_IN_CAP = SS_REPLY_TOTAL + 32768,
  SS_OUT_CAP = 1 << 20, /* encoded bytes waiting for the driver */
  SS_BODY_MAX = 1 << 18 /* most bytes of one call to ss_proto_body or ss_proto_chunk */
};

typedef struct ss_proto {
  ss_buf in, out;
  ss_reply_reader reader;
  ss_caps caps;
  ss_queue queue;
  ss_state sending, settled;
  ss_data data;
  uint64_t released;   /* bytes ever put into `out` */
  unsigned begun;      /* MAIL commands that no reply has reached yet */
  unsigned recipients; /* accepted in the transaction that replies have reached */
  bool lmtp; /* LHLO was accepted: the end of a message has a reply for each of them (RFC 2033 section 4.2) */
  bool mail_accepted; /* likewise */
  bool smtputf8;      /* the transaction being queued declared it (RFC 6531 section 3.4) */
  bool binary;        /* likewise (RFC 3030 section 3) */
  bool authenticated;
  bool ended; /* the server said 421, or refused to greet */
} ss_proto;

/* A client that waits for the server's greeting. Allocates nothing. */
void ss_proto_init(ss_proto *p);
void ss_proto_free(ss_proto *p);

/* Queues a command and returns its tag (above 0). SS_E_STATE, SS_E_ARGUMENT, SS_E_UNOFFERED: `e` says why, nothing was
 * queued. SS_E_FULL: too many commands wait for replies. `argument` is the domain of EHLO, HELO, LHLO and nothing for
 * verbs without one. */
int64_t ss_proto_command(ss_proto *p, ss_verb verb, const char *argument, size_t n, ss_error *e);

/* MAIL and RCPT take a mailbox without angle brackets; MAIL's may be empty, the null reverse-path. */
int64_t ss_proto_mail(ss_proto *p, const char *mailbox, size_t n, const ss_mail_options *o, ss_error *e);
int64_t ss_proto_rcpt(ss_proto *p, const char *mailbox, size_t n, const ss_rcpt_options *o, ss_error *e);

/* Whether AUTH may be queued now: SS_OK, or what ss_proto_auth would say. */
ss_status ss_proto_check_auth(const ss_proto *p, const char *mechanism, ss_error *e);

/* AUTH with an optional initial response (NULL: none; length 0: "="), and the answer to a challenge, both not yet
 * base64. An initial response that would make the line too long is SS_E_FULL: ask again without it. */
int64_t ss_proto_auth(ss_proto *p, const char *mechanism, const uint8_t *initial, size_t n, ss_error *e);
ss_status ss_proto_respond(ss_proto *p, const uint8_t *response, size_t n, ss_error *e);

/* Instead of an answer: takes AUTH back. It has a reply. */
ss_status ss_proto_cancel(ss_proto *p, ss_error *e);

/* A piece of the message, at most SS_BODY_MAX bytes, after 354: SS_OK, SS_E_FULL (drain `out` first), SS_E_STATE,
 * SS_E_ARGUMENT (NUL). Then its end, which is a command: a tag. */
ss_status ss_proto_body(ss_proto *p, const void *bytes, size_t n, ss_error *e);
int64_t ss_proto_end(ss_proto *p, ss_error *e);

/* A part of the message with its BDAT, the last one, if `last`: a tag, or as above. It goes to `out` at once and whole, behind
 * everything queued before it; SS_E_FULL when that cannot be: write what there is and read the replies first. */
int64_t ss_proto_chunk(ss_proto *p, const void *bytes, size_t n, bool last, ss_error *e);

/* As ss_proto_end, without asking whether a message may end now: for answer.c, which ends one that nobody may receive.
 * Nothing else can be queued in that state, so it counts as released at once. */
int64_t ss_proto_write_end(ss_proto *p, ss_error *e);

/* One reply: SS_OK, *reply filled (text valid until the next call) and *command the one that it answers (verb
 * SS_VERBS, tag 0, when it answers none: a 421 out of the blue). SS_AGAIN: more bytes are needed. Else fatal. */
ss_status ss_proto_next(ss_proto *p, ss_reply *reply, ss_command *command, ss_error *e);

/* Puts into `out` what may go out now. SS_OK or SS_E_MEMORY. */
ss_status ss_proto_release(ss_proto *p);

/* There is no way back into the dialogue: nothing may be queued any more, and no reply is waited for. */
void ss_proto_leave(ss_proto *p);

/* TLS is up: everything learned in clear is forgotten and EHLO is due (RFC 3207 section 4.2). */
void ss_proto_secured(ss_proto *p);

/* Which time-out applies to what is waited for now. */
ss_phase ss_proto_phase(ss_proto *p);

#endif
