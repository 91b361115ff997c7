/* reply: see reply.h. */
#include "smtp/reply.h"
#include "base/ascii.h"
#include "base/printable.h"

#include <string.h>

void ss_reply_reader_init(ss_reply_reader *r)
{
  *r = (ss_reply_reader){0};
  ss_buf_init(&r->text, SS_REPLY_TOTAL);
}

void ss_reply_reader_free(ss_reply_reader *r)
{
  ss_buf_free(&r->text);
}

bool ss_reply_unfinished(const ss_reply_reader *r, const ss_buf *in)
{
  return r->lines > 0 || ss_buf_len(in) > 0;
}

/* RFC 5321 section 4.2: [2-5][0-5][0-9], then a space, a hyphen, or the end of the line. n bytes of the line are there. */
static bool code_is_well_formed(const uint8_t *p, size_t n)
{
  return !(n > 0 && (p[0] < '2' || p[0] > '5')) && !(n > 1 && (p[1] < '0' || p[1] > '5')) &&
         !(n > 2 && !ss_ascii_digit(p[2])) &&
         !(n > 3 && p[3] != ' ' && p[3] != '-' && p[3] != '\r' && p[3] != '\n');
}

/* Checked as soon as the bytes are there, so that a peer of another protocol is found out without waiting for a line
 * that may never end. */
static ss_status check_beginning(const uint8_t *p, size_t n, ss_error *e)
{
  char shown[80];
  bool record = p[0] == 0x15 || p[0] == 0x16; /* of TLS: an alert or a handshake, then version 3.x */
  if (code_is_well_formed(p, n) || (record && n == 1)) return SS_OK;
  ss_printable(shown, sizeof shown, p, n < 40 ? n : 40);
  ss_fail(e, SS_E_PROTOCOL, "the server sent \"%s\" where a reply code was due", shown);
  if (record && p[1] == 0x03) memcpy(e->reason, "peer speaks TLS", sizeof "peer speaks TLS");
  return SS_E_PROTOCOL;
}

/* Length of the enhanced code that begins a text ("5.7.1"), when it is one and agrees with the reply's class (RFC 2034
 * section 4); 0 otherwise. */
static size_t enhanced_length(const uint8_t *p, size_t n, int code)
{
  size_t i = 2;
  if (n < 5 || p[0] != '0' + code / 100 || p[1] != '.') return 0;
  for (int part = 0; part < 2; part++) {
    size_t from = i;
    while (i < n && i - from < 3 && ss_ascii_digit(p[i]))
      i++;
    if (i == from) return 0;
    if (part == 0 && (i == n || p[i++] != '.')) return 0;
  }
  return i == n || p[i] == ' ' ? i : 0;
}

static ss_status add_text(ss_reply_reader *r, const uint8_t *p, size_t n, ss_error *e)
{
  size_t enhanced = enhanced_length(p, n, r->code);
  if (enhanced) {
    memcpy(r->enhanced, p, enhanced);
    r->enhanced[enhanced] = '\0';
    if (enhanced < n) enhanced++; /* the space behind it */
    p += enhanced;
    n -= enhanced;
  }
  if (r->lines > 0 && ss_buf_append(&r->text, "\n", 1) == SS_E_MEMORY)
    return ss_fail(e, SS_E_MEMORY, "no memory");
  switch (ss_buf_append(&r->text, p, n)) {
  case SS_OK: return SS_OK;
  case SS_E_FULL: return ss_fail(e, SS_E_LIMIT, "the server's reply is longer than %d bytes", SS_REPLY_TOTAL);
  default: return ss_fail(e, SS_E_MEMORY, "no memory for the server's reply");
  }
}

/* One line without its CRLF, of which check_beginning has seen that it begins with a code. SS_OK when it is the reply's
 * last, SS_AGAIN when more follow. */
static ss_status take_line(ss_reply_reader *r, const uint8_t *p, size_t n, ss_error *e)
{
  int code = (p[0] - '0') * 100 + (p[1] - '0') * 10 + (p[2] - '0');
  if (r->lines == 0) {
    ss_buf_clear(&r->text);
    r->enhanced[0] = '\0';
    r->code = code;
  } else if (code != r->code) {
    return ss_fail(e, SS_E_PROTOCOL, "the server mixed codes %d and %d in one reply", r->code, code);
  }
  if (r->lines == SS_REPLY_LINES)
    return ss_fail(e, SS_E_LIMIT, "the server's reply has more than %d lines", SS_REPLY_LINES);
  if (memchr(p, '\0', n) || memchr(p, '\r', n))
    return ss_fail(e, SS_E_PROTOCOL, "the server sent a NUL or a bare CR inside a reply");
  size_t skip = n > 3 ? 4 : 3;
  ss_status status = add_text(r, p + skip, n - skip, e);
  if (status != SS_OK) return status;
  r->lines++;
  return n > 3 && p[3] == '-' ? SS_AGAIN : SS_OK;
}

/* The length of the line at the front of `in`, CRLF included; 0 when it is not whole yet; or an error. */
static ss_status find_line(ss_reply_reader *r, const ss_buf *in, size_t *length, ss_error *e)
{
  const uint8_t *p = ss_buf_data(in);
  size_t n = ss_buf_len(in);
  *length = 0;
  if (n == 0) return SS_OK;
  ss_status status = check_beginning(p, n, e);
  if (status != SS_OK) return status;
  const uint8_t *lf = memchr(p + r->scanned, '\n', n - r->scanned);
  r->scanned = lf ? 0 : n;
  size_t line = lf ? (size_t)(lf - p) + 1 : n;
  if (line > SS_REPLY_LINE)
    return ss_fail(e, SS_E_LIMIT, "the server sent a line longer than %d bytes", SS_REPLY_LINE);
  if (lf && (lf == p || lf[-1] != '\r'))
    return ss_fail(e, SS_E_PROTOCOL, "the server ended a line with LF alone instead of CR LF");
  if (lf) *length = line;
  return SS_OK;
}

ss_status ss_reply_read(ss_reply_reader *r, ss_buf *in, ss_reply *reply, ss_error *e)
{
  for (;;) {
    size_t line;
    ss_status status = find_line(r, in, &line, e);
    if (status != SS_OK) return status;
    if (line == 0) return SS_AGAIN;
    status = take_line(r, ss_buf_data(in), line - 2, e);
    if (status != SS_OK && status != SS_AGAIN) return status;
    ss_buf_consume(in, line);
    if (status == SS_AGAIN) continue;
    *reply = (ss_reply){
        .code = r->code, .text = (const char *)ss_buf_data(&r->text), .length = ss_buf_len(&r->text)};
    if (!reply->text) reply->text = "";
    memcpy(reply->enhanced, r->enhanced, sizeof reply->enhanced);
    r->lines = 0;
    return SS_OK;
  }
}
