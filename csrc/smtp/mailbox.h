/* mailbox: the one grammar of addresses and names that go into commands (RFC 5321 section 4.1.2, RFC 6531 section 3.3).
 *
 * Strict on purpose: no comments, no routes, no white space outside quotes, no control anywhere, not even inside
 * quotes, where the grammar of messages (RFC 5322) would allow it. What passes here cannot end a command early. */
#ifndef SS_MAILBOX_H
#define SS_MAILBOX_H

#include <stdbool.h>
#include <stddef.h>

/* Most octets of a mailbox (RFC 5321 section 4.5.3.1.3). */
enum { SS_MAILBOX_LONGEST = 254 };

typedef struct ss_mailbox {
  size_t local_length;    /* the local part, quotes included, is the first local_length bytes */
  size_t domain_start;    /* the domain or address literal is the rest from here */
  bool internationalized; /* the local part is not ASCII: SMTPUTF8 is needed */
  bool idn;               /* ss_mailbox_read: the domain was not judged */
} ss_mailbox;

/* Checks `s` as Mailbox. NULL and *box filled, or a static sentence that says what is wrong with it. */
const char *ss_mailbox_parse(const char *s, size_t n, ss_mailbox *box);

/* As ss_mailbox_parse, but a domain with labels that are not ASCII, or are A-labels (xn--), is anything: `idn` says so. It is
 * for who then makes A-labels of it (UTS 46), and judges the mailbox again with those. */
const char *ss_mailbox_read(const char *s, size_t n, ss_mailbox *box);

/* Checks `s` as what may follow EHLO and as a host name: a domain of letters, digits and hyphens (A-labels), or an
 * address literal in brackets. NULL, or a static sentence that says what is wrong. */
const char *ss_domain_check(const char *s, size_t n);

#endif
