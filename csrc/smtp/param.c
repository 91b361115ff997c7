/* param: see param.h. */
#include "smtp/param.h"
#include "base/ascii.h"
#include "base/utf8.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* ---- values --------------------------------------------------------------------------------------------------- */

static ss_status put(ss_buf *line, const char *format, ...) __attribute__((format(printf, 2, 3)));

static ss_status put(ss_buf *line, const char *format, ...)
{
  char text[48];
  va_list list;
  va_start(list, format);
  vsnprintf(text, sizeof text, format, list);
  va_end(list);
  return ss_buf_puts(line, text);
}

/* RFC 3461 section 4: printable ASCII but for "+" and "=" stands for itself, all else is "+" and two digits. */
static ss_status put_xtext(ss_buf *line, const char *p, size_t n)
{
  ss_status status = SS_OK;
  for (size_t i = 0; i < n && status == SS_OK; i++) {
    unsigned char c = (unsigned char)p[i];
    bool plain = c > ' ' && c < 0x7F && c != '+' && c != '=';
    status = plain ? ss_buf_append(line, p + i, 1) : put(line, "+%02X", c);
  }
  return status;
}

static size_t xtext_length(const char *p, size_t n)
{
  size_t length = n;
  for (size_t i = 0; i < n; i++)
    if (p[i] == ' ' || p[i] == '+' || p[i] == '=') length += 2;
  return length;
}

static bool is_printable(const char *p, size_t n)
{
  for (size_t i = 0; i < n; i++)
    if (p[i] < ' ' || p[i] > '~') return false;
  return true;
}

/* RFC 6533 section 3 (utf-8-addr-xtext): the form that is ASCII, and so is fit for every server on the way. */
static ss_status put_utf8_xtext(ss_buf *line, const char *p, size_t n)
{
  ss_status status = SS_OK;
  while (n && status == SS_OK) {
    uint32_t c = 0;
    size_t length = ss_utf8_decode((const uint8_t *)p, n, &c);
    bool plain = c > ' ' && c < 0x7F && c != '+' && c != '=' && c != '\\';
    status = plain ? ss_buf_append(line, p, 1) : put(line, "\\x{%" PRIX32 "}", c);
    p += length;
    n -= length;
  }
  return status;
}

enum { DATE = sizeof "9999-12-31T23:59:59Z" };

/* RFC 3339 section 5.6. */
static void format_date(char to[DATE], int64_t seconds)
{
  struct tm tm;
  time_t t = (time_t)seconds;
  gmtime_r(&t, &tm);
  strftime(to, DATE, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

/* Whether a date of the server is one that can be compared as text: in UTC, without fractions. */
static bool is_plain_date(const char *p, size_t n)
{
  static const char shape[] = "0000-00-00T00:00:00Z";
  for (size_t i = 0; i < n && i < sizeof shape; i++)
    if (shape[i] == '0' ? !ss_ascii_digit((unsigned char)p[i]) : p[i] != shape[i]) return false;
  return n == sizeof shape - 1;
}

/* ---- MAIL ----------------------------------------------------------------------------------------------------- */

static bool wants_size(const ss_mail_options *o)
{
  return o->size > 0;
}

static ss_status put_size(ss_buf *line, const ss_mail_options *o, const ss_keyword *offer, ss_error *e)
{
  uint64_t limit = ss_caps_number(offer->params, offer->params_length);
  if (limit && o->size > limit)
    return ss_fail(e, SS_E_UNOFFERED,
                   "the message has %" PRIu64 " bytes and the server takes at most %" PRIu64, o->size, limit);
  char size[SS_ASCII_NUMBER];
  ss_status status = ss_buf_puts(line, " SIZE=");
  return status == SS_OK ? ss_buf_append(line, size, ss_ascii_number(size, o->size)) : status;
}

static bool wants_8bit(const ss_mail_options *o)
{
  return o->body == SS_BODY_8BIT;
}

static ss_status put_8bit(ss_buf *line, const ss_mail_options *o, const ss_keyword *offer, ss_error *e)
{
  (void)o, (void)offer, (void)e;
  return ss_buf_puts(line, " BODY=8BITMIME");
}

static bool wants_binary(const ss_mail_options *o)
{
  return o->body == SS_BODY_BINARY;
}

static ss_status put_binary(ss_buf *line, const ss_mail_options *o, const ss_keyword *offer, ss_error *e)
{
  (void)o, (void)offer, (void)e;
  return ss_buf_puts(line, " BODY=BINARYMIME");
}

/* What has to be offered, and has no parameter. */
static ss_status put_nothing(ss_buf *line, const ss_mail_options *o, const ss_keyword *offer, ss_error *e)
{
  (void)line, (void)o, (void)offer, (void)e;
  return SS_OK;
}

static bool wants_utf8(const ss_mail_options *o)
{
  return o->smtputf8;
}

static ss_status put_utf8(ss_buf *line, const ss_mail_options *o, const ss_keyword *offer, ss_error *e)
{
  (void)o, (void)offer, (void)e;
  return ss_buf_puts(line, " SMTPUTF8");
}

static bool wants_return(const ss_mail_options *o)
{
  return o->ret != SS_RETURN_ANY;
}

static ss_status put_return(ss_buf *line, const ss_mail_options *o, const ss_keyword *offer, ss_error *e)
{
  (void)offer, (void)e;
  return ss_buf_puts(line, o->ret == SS_RETURN_FULL ? " RET=FULL" : " RET=HDRS");
}

static bool wants_envid(const ss_mail_options *o)
{
  return o->envid_length > 0;
}

static ss_status put_envid(ss_buf *line, const ss_mail_options *o, const ss_keyword *offer, ss_error *e)
{
  (void)offer, (void)e;
  ss_status status = ss_buf_puts(line, " ENVID=");
  return status == SS_OK ? put_xtext(line, o->envid, o->envid_length) : status;
}

static bool wants_tls(const ss_mail_options *o)
{
  return o->require_tls;
}

static ss_status put_require_tls(ss_buf *line, const ss_mail_options *o, const ss_keyword *offer, ss_error *e)
{
  (void)o, (void)offer, (void)e;
  return ss_buf_puts(line, " REQUIRETLS");
}

static bool wants_deliver_by(const ss_mail_options *o)
{
  return o->deliver != SS_DELIVER_ANYTIME;
}

/* RFC 2852 section 4: the server's minimum is about messages that are returned. */
static ss_status put_deliver_by(ss_buf *line, const ss_mail_options *o, const ss_keyword *offer, ss_error *e)
{
  uint64_t least = ss_caps_number(offer->params, offer->params_length);
  bool returned = o->deliver == SS_DELIVER_OR_RETURN;
  if (returned && (uint64_t)o->deliver_by < least)
    return ss_fail(e, SS_E_UNOFFERED,
                   "the message is to be delivered within %" PRId32
                   " seconds, and the server asks for at least %" PRIu64,
                   o->deliver_by, least);
  return put(line, " BY=%" PRId32 ";%c%s", o->deliver_by, returned ? 'R' : 'N', o->deliver_trace ? "T" : "");
}

static bool wants_priority(const ss_mail_options *o)
{
  return o->prioritized;
}

static ss_status put_priority(ss_buf *line, const ss_mail_options *o, const ss_keyword *offer, ss_error *e)
{
  (void)offer, (void)e;
  return put(line, " MT-PRIORITY=%d", o->priority);
}

static bool wants_hold_for(const ss_mail_options *o)
{
  return o->hold_for > 0;
}

static ss_status put_hold_for(ss_buf *line, const ss_mail_options *o, const ss_keyword *offer, ss_error *e)
{
  uint64_t most = ss_caps_number(offer->params, offer->params_length);
  if (most && (uint64_t)o->hold_for > most)
    return ss_fail(e, SS_E_UNOFFERED,
                   "the message is to be held for %" PRId32
                   " seconds, and the server holds one for at most %" PRIu64,
                   o->hold_for, most);
  return put(line, " HOLDFOR=%" PRId32, o->hold_for);
}

static bool wants_hold_until(const ss_mail_options *o)
{
  return o->hold_until > 0;
}

static ss_status put_hold_until(ss_buf *line, const ss_mail_options *o, const ss_keyword *offer, ss_error *e)
{
  char date[DATE];
  ss_word last;
  size_t position = 0; /* behind the longest interval */
  format_date(date, o->hold_until);
  bool limited = ss_caps_next_param(offer, &position, &last) && ss_caps_next_param(offer, &position, &last);
  if (limited && is_plain_date(last.text, last.length) && memcmp(date, last.text, last.length) > 0)
    return ss_fail(e, SS_E_UNOFFERED,
                   "the message is to be held until %s, and the server holds one until %.*s at the latest",
                   date, (int)last.length, last.text);
  return put(line, " HOLDUNTIL=%s", date);
}

static const struct {
  const char *keyword;
  bool (*wanted)(const ss_mail_options *);
  ss_status (*put)(ss_buf *line, const ss_mail_options *, const ss_keyword *offer, ss_error *);
  const char *missing; /* why it cannot be left out; NULL: it can */
} params[] = {
    {"SIZE", wants_size, put_size, NULL},
    {"8BITMIME", wants_8bit, put_8bit, "the message holds octets above 127"},
    {"BINARYMIME", wants_binary, put_binary, "the message is binary"},
    {"CHUNKING", wants_binary, put_nothing,
     "the message is binary"}, /* RFC 3030 section 3: it goes by BDAT only */
    {"SMTPUTF8", wants_utf8, put_utf8, "an address or a header of the message is not ASCII"},
    {"DSN", wants_return, put_return, NULL},
    {"DSN", wants_envid, put_envid, NULL},
    {"REQUIRETLS", wants_tls, put_require_tls, "the message may only travel over TLS"},
    {"DELIVERBY", wants_deliver_by, put_deliver_by, "the message is to be delivered by a time"},
    {"MT-PRIORITY", wants_priority, put_priority, NULL},
    {"FUTURERELEASE", wants_hold_for, put_hold_for, "the message is to be held back"},
    {"FUTURERELEASE", wants_hold_until, put_hold_until, "the message is to be held back"},
};

/* Whether the values are such as the RFCs know, whatever the server offers. */
static ss_status check_values(const ss_mail_options *o, ss_error *e)
{
  if (!is_printable(o->envid, o->envid_length))
    return ss_fail(e, SS_E_ARGUMENT, "the envelope id holds more than printable ASCII (RFC 3461, 4.4)");
  if (xtext_length(o->envid, o->envid_length) > SS_ENVID_MAX)
    return ss_fail(e, SS_E_ARGUMENT, "the envelope id is longer than %d octets (RFC 3461)", SS_ENVID_MAX);
  if (o->deliver_by > SS_SECONDS_MAX || o->deliver_by < -SS_SECONDS_MAX)
    return ss_fail(e, SS_E_ARGUMENT, "a time to deliver by has at most nine digits (RFC 2852, 4)");
  if (o->deliver == SS_DELIVER_OR_RETURN && o->deliver_by <= 0)
    return ss_fail(e, SS_E_ARGUMENT, "a message that is returned when it is late needs time (RFC 2852, 4)");
  if (o->priority > SS_PRIORITY_MAX || o->priority < -SS_PRIORITY_MAX)
    return ss_fail(e, SS_E_ARGUMENT, "a priority is a number from -9 to 9 (RFC 6710, 5)");
  if (o->hold_for < 0 || o->hold_for > SS_SECONDS_MAX || o->hold_until < 0 || o->hold_until > SS_DATE_MAX)
    return ss_fail(e, SS_E_ARGUMENT, "a time to hold a message is out of range (RFC 4865, 4)");
  if (o->hold_for && o->hold_until)
    return ss_fail(e, SS_E_ARGUMENT, "a message is held for a time or until one, not both (RFC 4865, 4)");
  return SS_OK;
}

ss_status ss_mail_params(ss_buf *line, const ss_mail_options *o, const ss_caps *caps, ss_error *e)
{
  ss_status status = check_values(o, e);
  for (size_t i = 0; i < sizeof params / sizeof *params && status == SS_OK; i++) {
    ss_keyword offer;
    if (!params[i].wanted(o)) continue;
    if (ss_caps_find(caps, params[i].keyword, &offer))
      status = params[i].put(line, o, &offer, e);
    else if (params[i].missing)
      status = ss_fail(e, SS_E_UNOFFERED, "%s, and the server does not offer %s", params[i].missing,
                       params[i].keyword);
  }
  return status;
}

/* ---- RCPT ----------------------------------------------------------------------------------------------------- */

static ss_status put_notify(ss_buf *line, unsigned notify)
{
  static const char *const words[] = {"NEVER", "SUCCESS", "FAILURE", "DELAY"};
  ss_status status = SS_OK;
  const char *before = " NOTIFY=";
  for (unsigned i = 0; i < sizeof words / sizeof *words && status == SS_OK; i++) {
    if (!(notify >> i & 1)) continue;
    status = put(line, "%s%s", before, words[i]);
    before = ",";
  }
  return status;
}

static ss_status put_orcpt(ss_buf *line, const char *mailbox, size_t n)
{
  bool ascii = is_printable(mailbox, n);
  ss_status status = ss_buf_puts(line, ascii ? " ORCPT=rfc822;" : " ORCPT=utf-8;");
  if (status != SS_OK) return status;
  return ascii ? put_xtext(line, mailbox, n) : put_utf8_xtext(line, mailbox, n);
}

ss_status ss_rcpt_params(ss_buf *line, const char *mailbox, size_t n, const ss_rcpt_options *o,
                         const ss_caps *caps, ss_error *e)
{
  if ((o->notify & SS_NOTIFY_NEVER) && o->notify != SS_NOTIFY_NEVER)
    return ss_fail(e, SS_E_ARGUMENT,
                   "a notice is asked for never or for something, not both (RFC 3461, 4.1)");
  if (!(o->notify || o->orcpt) || !ss_caps_find(caps, "DSN", NULL)) return SS_OK;
  ss_status status = put_notify(line, o->notify);
  return status == SS_OK && o->orcpt ? put_orcpt(line, mailbox, n) : status;
}
