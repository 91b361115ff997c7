/* smtpsec: the engine. Bytes in, bytes out, events; no socket, no clock, no global, no callback.
 *
 * One ss_conn is one connection of an SMTP or LMTP client, seen from that client: what is `fed` came from the server,
 * what is `output` goes to it. A driver turns this crank until it has what it wants:
 *
 *     for (;;) {
 *       ss_status s = ss_conn_next(c, &event, &error);      one event, SS_AGAIN, or the end
 *       if (s == SS_OK) return &event;
 *       if (s != SS_AGAIN) return NULL;
 *       if (ss_conn_output(c, &bytes, &n, &error) == SS_OK && n) ss_conn_consumed(c, write(fd, bytes, n));
 *       else ss_conn_feed(c, buffer, read(fd, buffer, sizeof buffer), &error);
 *     }
 *
 * Whose fault something was decides what it costs. A mistake of the caller (SS_E_ARGUMENT, _STATE, _POLICY, _UNOFFERED,
 * _FULL) changes nothing. Everything else is fatal and sticky: the same error comes back from every later call, and
 * what is left to do is to write what ss_conn_output still lends (a TLS alert) and to free the object. But where it was
 * TLS that took no more to send, ss_conn_next first gives the replies that had come before.
 *
 * The security policy is given at birth and kept here, under whatever the caller's language may get wrong: where TLS is
 * required, no MAIL and no AUTH leave before it is up and the server is verified. */
#ifndef SMTPSEC_H
#define SMTPSEC_H

#include "sasl/mechanism.h"
#include "smtp/caps.h"
#include "smtp/param.h"
#include "smtp/reply.h"
#include "smtp/verb.h"
#include "tls/tls.h"

typedef struct ss_conn ss_conn;

/* How TLS begins (RFC 8314, RFC 3207). */
typedef enum ss_tls_mode { SS_TLS_IMPLICIT, SS_TLS_STARTTLS, SS_TLS_OPPORTUNISTIC, SS_TLS_NONE } ss_tls_mode;

typedef struct ss_conn_options {
  ss_tls_mode mode;
  ss_tls_context *context;                   /* a reference is taken; NULL with SS_TLS_NONE */
  ss_tls_peer peer;                          /* who must be at the other end; copied */
  ss_tls_session *session;                   /* to resume, or NULL */
  bool insecure_cleartext;                   /* AUTH may go over a channel that is not authenticated */
  bool without_pipelining, without_chunking; /* not used, whatever is offered: the server breaks on them */
} ss_conn_options;

typedef enum ss_event_type {
  SS_EVENT_REPLY,    /* a command was answered */
  SS_EVENT_SECURED,  /* the TLS handshake is done, and the server is who it must be */
  SS_EVENT_CHALLENGE /* of a mechanism outside: ss_conn_respond is due */
} ss_event_type;

typedef struct ss_event {
  ss_event_type type;
  ss_verb verb; /* of the command; SS_VERBS when the server spoke unasked (421) */
  uint32_t tag;
  ss_reply reply;           /* its text is valid until the next call */
  const uint8_t *challenge; /* likewise; decoded */
  size_t challenge_length;
} ss_event;

/* A connection that waits for the greeting, behind TLS where the mode says so. NULL with `e` set on failure. */
ss_conn *ss_conn_new(const ss_conn_options *options, ss_error *e);

/* Wipes and frees; c may be NULL. */
void ss_conn_free(ss_conn *c);

/* Copies n bytes in; n = 0 is the end of the stream. SS_OK, or fatal. At most SS_FEED_MAX bytes at once, and only when
 * ss_conn_next has said SS_AGAIN. */
enum { SS_FEED_MAX = 16384 };
ss_status ss_conn_feed(ss_conn *c, const void *bytes, size_t n, ss_error *e);

/* Lends what to write, valid until the next call. SS_OK (*n may be 0), or fatal. Also lends after a fatal error. */
ss_status ss_conn_output(ss_conn *c, const uint8_t **bytes, size_t *n, ss_error *e);

/* n of the lent bytes were written. */
void ss_conn_consumed(ss_conn *c, size_t n);

/* SS_OK and one event; SS_AGAIN: write what there is, then feed; or fatal. */
ss_status ss_conn_next(ss_conn *c, ss_event *event, ss_error *e);

/* Commands. Each returns a tag above 0, which the event that answers it carries, or an error; then nothing was queued.
 * `domain` is what EHLO, HELO and LHLO take (ss_conn_greet), a mailbox is without angle brackets. */
int64_t ss_conn_greet(ss_conn *c, ss_verb verb, const char *domain, size_t n, ss_error *e);
/* AUTH. The credentials are copied, and wiped when the exchange ends. Challenges are answered in here; the reply is an event. */
int64_t ss_conn_auth(ss_conn *c, const char *mechanism, const ss_credentials *who, ss_error *e);

/* AUTH by a mechanism that the caller has himself: an initial response (NULL: none), and to each challenge, which comes as an
 * event, a response, or NULL to take AUTH back, which has a reply too (RFC 4954 section 4). `done` with the last response
 * there is: before it, 235 is a violation. Bytes are not yet base64. */
int64_t ss_conn_auth_outside(ss_conn *c, const char *mechanism, const void *initial, size_t n, bool done,
                             ss_error *e);
ss_status ss_conn_respond(ss_conn *c, const void *response, size_t n, bool done, ss_error *e);

int64_t ss_conn_mail(ss_conn *c, const char *mailbox, size_t n, const ss_mail_options *o, ss_error *e);
int64_t ss_conn_rcpt(ss_conn *c, const char *mailbox, size_t n, const ss_rcpt_options *o, ss_error *e);
int64_t ss_conn_simple(ss_conn *c, ss_verb verb, ss_error *e); /* STARTTLS, DATA, RSET, NOOP, QUIT */

/* The message, after 354: pieces of at most SS_BODY_MAX bytes, with any line ends; SS_OK, or SS_E_FULL when output must
 * be written first. Then its end, which is a command. */
ss_status ss_conn_body(ss_conn *c, const void *bytes, size_t n, ss_error *e);
int64_t ss_conn_end(ss_conn *c, ss_error *e);

/* The message with BDAT instead of DATA, after RCPT, in the same flight where PIPELINING is offered: a part of at most
 * SS_BODY_MAX bytes with any line ends, `last` with the last one, and each part is a command. What the server gets is
 * what it would get with DATA. SS_E_FULL: write and read, then again. Behind the last part MAIL needs RSET before it, as
 * long as that part was not accepted: a server that refused it still has its transaction. */
int64_t ss_conn_chunk(ss_conn *c, const void *bytes, size_t n, bool last, ss_error *e);

/* How many commands can be queued before replies must be read. */
size_t ss_conn_room(const ss_conn *c);

/* Bytes that wait to be written. (Inside TLS: text; it becomes a little more.) */
size_t ss_conn_unwritten(const ss_conn *c);

/* Whether the last byte of command `tag` has been handed to the driver and counted as written. True also once it was
 * answered. This is what decides between "not delivered" and "in doubt". */
bool ss_conn_sent(ss_conn *c, uint32_t tag);

/* Says goodbye to TLS (close_notify), where there is TLS; the bytes are in the output. */
void ss_conn_close_notify(ss_conn *c);

/* What is known. The capabilities and the facts are borrowed. */
ss_phase ss_conn_phase(ss_conn *c);
const ss_caps *ss_conn_caps(const ss_conn *c);
ss_verb ss_conn_waiting(ss_conn *c);        /* the command whose reply is due, or SS_VERBS */
ss_tls *ss_conn_tls(const ss_conn *c);      /* borrowed; NULL before TLS began */
bool ss_conn_is_verified(const ss_conn *c); /* TLS is up and the server proved who it is */
bool ss_conn_binding(const ss_conn *c, const char *type, ss_binding *to); /* as ss_tls_binding */
const char *ss_conn_complaint(const ss_conn *c,
                              size_t *n); /* why the server refused a login, in a challenge */
bool ss_conn_is_ready(const ss_conn *c);  /* MAIL may be queued now, without RSET before it */
bool ss_conn_is_idle(ss_conn *c);         /* between transactions, nothing unread, unwritten or unanswered */
bool ss_conn_failed(const ss_conn *c);    /* a fatal error has happened */

#endif
