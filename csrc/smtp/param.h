/* param: the parameters of MAIL and RCPT (RFC 5321 section 4.1.1.2), as typed options only, so that no text of a caller can
 * become one (spec/security: parameter smuggling). A new parameter is a row of the table and a field here.
 *
 * With all of them at their longest, and the longest mailbox, MAIL is 509 octets and so within the 512 of RFC 5321 section
 * 4.5.3.1.4; RCPT stays below the 1012 that RFC 3461 makes of them. */
#ifndef SS_PARAM_H
#define SS_PARAM_H

#include "smtp/caps.h"

enum { SS_ENVID_MAX = 100, SS_SECONDS_MAX = 999999999, SS_PRIORITY_MAX = 9 };
#define SS_DATE_MAX INT64_C(253402300799) /* the last second of the year 9999 */

/* What a body is made of (RFC 5321 section 2.4): lines of ASCII, lines of octets (RFC 6152), or octets (RFC 3030). */
typedef enum ss_body_type { SS_BODY_7BIT, SS_BODY_8BIT, SS_BODY_BINARY } ss_body_type;

/* What a failure notice carries of the message (RFC 3461 section 4.3). */
typedef enum ss_return { SS_RETURN_ANY, SS_RETURN_FULL, SS_RETURN_HEADERS } ss_return;

/* What is to happen when a message is not delivered in time (RFC 2852 section 4): nothing was asked for, it is returned,
 * or its sender is told. */
typedef enum ss_deliver { SS_DELIVER_ANYTIME, SS_DELIVER_OR_RETURN, SS_DELIVER_OR_NOTIFY } ss_deliver;

typedef struct ss_mail_options {
  uint64_t size;       /* bytes of the message, 0 where unknown (RFC 1870) */
  ss_body_type body;   /* SS_BODY_BINARY goes by BDAT only */
  bool smtputf8;       /* addresses or headers are not ASCII (RFC 6531) */
  bool require_tls;    /* no server on the way may pass it on in clear (RFC 8689) */
  ss_return ret;       /* left out where DSN is not offered, as is: */
  const char *envid;   /* printable ASCII, comes back in notices (RFC 3461 section 4.4) */
  size_t envid_length; /* 0 for none; at most SS_ENVID_MAX, encoded */
  ss_deliver deliver;  /* RFC 2852 */
  int32_t deliver_by; /* seconds from now, up to SS_SECONDS_MAX; with SS_DELIVER_OR_NOTIFY also 0 and below */
  bool deliver_trace; /* each server on the way is to tell */
  bool prioritized;   /* RFC 6710; left out where MT-PRIORITY is not offered: */
  int8_t priority;    /* -9 to 9 */
  int32_t hold_for;   /* seconds to hold it back, 0 for none (RFC 4865); or: */
  int64_t hold_until; /* seconds since 1970, 0 for none; at most SS_DATE_MAX */
} ss_mail_options;

/* When the sender is told about a recipient (RFC 3461 section 4.1): a set, or never alone. */
enum { SS_NOTIFY_NEVER = 1, SS_NOTIFY_SUCCESS = 2, SS_NOTIFY_FAILURE = 4, SS_NOTIFY_DELAY = 8 };

typedef struct ss_rcpt_options {
  unsigned notify; /* 0: as the server sees fit */
  bool orcpt;      /* notices name the recipient as it is here (RFC 3461 section 4.2) */
} ss_rcpt_options;

/* Appends " SIZE=…" and so on to `line`, as far as the server offers them. SS_OK; SS_E_ARGUMENT with `e` set when a value
 * is none; SS_E_UNOFFERED when one that cannot be left out is not offered, or is beyond what the server takes; SS_E_FULL or
 * SS_E_MEMORY. */
ss_status ss_mail_params(ss_buf *line, const ss_mail_options *o, const ss_caps *caps, ss_error *e);

/* Likewise for RCPT and its mailbox, which must be a valid one. */
ss_status ss_rcpt_params(ss_buf *line, const char *mailbox, size_t n, const ss_rcpt_options *o,
                         const ss_caps *caps, ss_error *e);

#endif
