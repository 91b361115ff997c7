/* conn: the whole connection between a hostile server and a caller without sense.
 *
 * The input is a mode and then operations, a letter each (`operations`): what the server says, what the caller asks for,
 * how the bytes move. Whatever they are, the promises of csrc/smtpsec.h must hold: what leaves is well-formed, nothing
 * leaves before TLS that must not, a mistake of the caller changes nothing, and an error stays.
 *
 * With SS_FUZZ_TLS the server speaks TLS from the first byte, with the certificate in the folder that SS_FUZZ_PKI names,
 * and what the input says goes through its filter. */
#include "smtpsec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REQUIRE(condition) ((condition) ? (void)0 : abort())

#ifdef SS_FUZZ_TLS
enum { IN_TLS = 1 };
#else
enum { IN_TLS = 0 };
#endif

typedef struct {
  const uint8_t *data; /* what is left of the input */
  size_t left;
  ss_tls_mode mode;
  ss_conn *conn;
  ss_tls *server; /* NULL: what the input says goes to the connection as it is */
  ss_buf wire;    /* what the caller said, as a server hears it */
  ss_status fault;
  bool
      muted; /* the fault is that nothing more can be sent: replies that had come may follow, and another fault */
  uint32_t last_tag;
  bool binary;      /* a message that may hold anything was begun */
  bool free_speech; /* the caller sent a message or credentials: lines may hold anything */
} world;

/* ---- what the input says -------------------------------------------------------------------------------------- */

static uint8_t byte(world *w)
{
  if (!w->left) return 0;
  w->left--;
  return *w->data++;
}

/* A length, then as many bytes, as far as there are any. On the heap and exact, so that a byte too far is noticed. */
static char *bytes(world *w, size_t *n)
{
  *n = byte(w);
  if (*n > w->left) *n = w->left;
  char *copy = malloc(*n ? *n : 1);
  if (!copy) abort();
  memcpy(copy, w->data, *n);
  w->data += *n;
  w->left -= *n;
  return copy;
}

/* ---- what must hold ------------------------------------------------------------------------------------------- */

static void check_error(world *w, ss_status status, const ss_error *e)
{
  REQUIRE(status < SS_AGAIN && e->status == status && e->text[0]);
  for (const char *p = e->text; *p; p++)
    REQUIRE((unsigned char)*p >= 0x20 && *p != 0x7f);
  REQUIRE(strlen(e->text) < sizeof e->text && strlen(e->reason) < sizeof e->reason);
  REQUIRE(!w->fault || w->muted || status == w->fault);
  bool fatal = status <= SS_E_PROTOCOL;
  REQUIRE(ss_conn_failed(w->conn) == (fatal || w->fault));
  if (fatal) w->fault = status;
}

static size_t output(world *w, const uint8_t **p)
{
  ss_error e;
  size_t n;
  ss_status status = ss_conn_output(w->conn, p, &n, &e);
  if (status != SS_OK) {
    check_error(w, status, &e);
    w->muted = w->server;
  }
  REQUIRE(n == 0 || *p);
  return n;
}

static size_t unwritten(world *w)
{
  const uint8_t *p;
  return output(w, &p);
}

static void check_state(world *w)
{
  ss_keyword k;
  size_t n;
  REQUIRE(ss_phase_name(ss_conn_phase(w->conn)));
  REQUIRE(ss_conn_waiting(w->conn) <= SS_VERBS);
  REQUIRE(!w->fault || ss_conn_failed(w->conn));
  if (ss_conn_is_idle(w->conn))
    REQUIRE(ss_conn_waiting(w->conn) == SS_VERBS && unwritten(w) == 0 && !w->fault);
  REQUIRE(!ss_conn_is_verified(w->conn) || ss_conn_tls(w->conn));
  for (size_t position = 0; ss_caps_next(ss_conn_caps(w->conn), &position, &k);)
    REQUIRE(k.name_length > 0);
  ss_caps_server(ss_conn_caps(w->conn), &n);
}

/* A mistake changes nothing; a success queues one command, which is not sent yet. */
static void check_command(world *w, int64_t result, const ss_error *e, size_t before)
{
  if (result > 0) {
    REQUIRE(!w->fault && result != w->last_tag);
    w->last_tag = (uint32_t)result;
    REQUIRE(!ss_conn_sent(w->conn, w->last_tag));
    return;
  }
  check_error(w, (ss_status)result, e);
  REQUIRE(unwritten(w) == before || w->fault);
}

/* Whether a line is BDAT, and how many octets follow it. */
static bool bdat_octets(const char *line, size_t n, size_t *octets)
{
  char copy[64], *end;
  if (n >= sizeof copy || n < 6 || memcmp(line, "BDAT ", 5)) return false;
  memcpy(copy, line, n);
  copy[n] = '\0';
  *octets = strtoul(copy + 5, &end, 10);
  return end > copy + 5 && (strcmp(end, "\r") == 0 || strcmp(end, " LAST\r") == 0);
}

/* CR and LF only as CRLF, no NUL; what is there of it may end anywhere. */
static void check_text(const char *p, size_t n)
{
  for (size_t i = 0; i < n; i++) {
    REQUIRE(p[i] != '\0' && (p[i] != '\n' || (i && p[i - 1] == '\r')));
    REQUIRE(p[i] != '\r' || i + 1 == n || p[i + 1] == '\n');
  }
}

/* A line is one whole command; and before TLS it is none that must not leave in clear. */
static void check_line(const world *w, const char *line, size_t n)
{
  static const char *const commands[] = {"EHLO ",       "HELO ",     "LHLO ",  "STARTTLS\r",
                                         "MAIL FROM:<", "RCPT TO:<", "DATA\r", "RSET\r",
                                         "NOOP\r",      "QUIT\r",    ".\r"};
  bool known = w->free_speech || bdat_octets(line, n, &(size_t){0});
  for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
    known |= n >= strlen(commands[i]) && memcmp(line, commands[i], strlen(commands[i])) == 0;
  REQUIRE(known);
  if (!IN_TLS && w->mode == SS_TLS_STARTTLS)
    REQUIRE(n < 5 || (memcmp(line, "MAIL ", 5) && memcmp(line, "AUTH ", 5)));
}

/* Lines that are commands, and behind BDAT as many octets as it says; those of a part end where a line may be open, but
 * never within a CRLF, unless a message was binary. */
static void check_wire(const world *w)
{
  const char *p = (const char *)ss_buf_data(&w->wire), *lf;
  size_t n = ss_buf_len(&w->wire);
  if (!w->binary) check_text(p, n);
  while (n && (lf = memchr(p, '\n', n))) {
    size_t line = (size_t)(lf - p), octets = 0;
    check_line(w, p, line);
    bdat_octets(p, line, &octets);
    if (w->free_speech) octets = 0; /* it may stand in a message */
    n -= line + 1;
    p = lf + 1;
    REQUIRE(w->binary || octets >= n || !octets || p[octets - 1] != '\r');
    if (octets > n) octets = n;
    p += octets;
    n -= octets;
  }
}

/* ---- the bytes move ------------------------------------------------------------------------------------------- */

static void feed(world *w, const void *p, size_t n)
{
  ss_error e;
  ss_status status = ss_conn_feed(w->conn, p, n, &e);
  if (status != SS_OK) check_error(w, status, &e);
}

static void hear(world *w, const uint8_t *p, size_t n)
{
  if (w->server) {
    ss_tls_feed(w->server, p, n);
    ss_tls_handshake(w->server);
    while (ss_tls_read(w->server, &w->wire) == SS_OK) {
    }
  } else if (!ss_conn_tls(w->conn)) {
    REQUIRE(ss_buf_append(&w->wire, p, n) == SS_OK);
  }
}

/* Up to n bytes of the client's output go to the server. */
static size_t write_some(world *w, size_t n)
{
  const uint8_t *p;
  size_t lent = output(w, &p);
  if (n > lent) n = lent;
  if (n) hear(w, p, n);
  ss_conn_consumed(w->conn, n);
  return n;
}

/* Up to n bytes of the server's TLS go to the client. */
static size_t read_some(world *w, size_t n)
{
  size_t lent;
  if (!w->server) return 0;
  const uint8_t *p = ss_tls_output(w->server, &lent);
  if (n > lent) n = lent;
  if (n > SS_FEED_MAX) n = SS_FEED_MAX;
  if (n) feed(w, p, n);
  ss_tls_consumed(w->server, n);
  return n;
}

static bool next(world *w)
{
  ss_error e;
  ss_event event;
  ss_status status = ss_conn_next(w->conn, &event, &e);
  if (status == SS_AGAIN) return false;
  if (status != SS_OK) {
    check_error(w, status, &e);
    REQUIRE(status <= SS_E_PROTOCOL);
    w->muted = false;
    return false;
  }
  REQUIRE(!w->fault || w->muted);
  if (event.type == SS_EVENT_SECURED) return true;
  const ss_reply *r = &event.reply;
  REQUIRE(event.verb <= SS_VERBS && r->code >= 200 && r->code <= 559 && r->length <= SS_REPLY_TOTAL);
  REQUIRE(!memchr(r->text, '\0', r->length) && !memchr(r->text, '\r', r->length));
  /* What was answered was sent, but for a refusal that did not wait for the end. */
  REQUIRE(ss_conn_sent(w->conn, event.tag) || r->code >= 400);
  if (event.type == SS_EVENT_CHALLENGE) REQUIRE(event.verb == SS_AUTH && r->code == 334 && event.challenge);
  return true;
}

static void crank(world *w)
{
  for (int i = 0; i < 1000; i++)
    if (!next(w) && !write_some(w, SIZE_MAX) && !read_some(w, SIZE_MAX)) return;
}

/* ---- operations ----------------------------------------------------------------------------------------------- */

static void op_say(world *w)
{
  size_t n, taken;
  char *p = bytes(w, &n);
  if (!w->server)
    feed(w, p, n); /* no bytes: the end of the stream */
  else if (n)
    ss_tls_write(w->server, p, n, &taken);
  free(p);
}

static void op_inject(world *w)
{
  size_t n;
  char *p = bytes(w, &n);
  feed(w, p, n);
  free(p);
}

static void op_end_of_stream(world *w)
{
  feed(w, "", 0);
}

static void op_next(world *w)
{
  next(w);
}

static void op_crank(world *w)
{
  crank(w);
}

static void op_write(world *w)
{
  write_some(w, byte(w));
}

static void op_read(world *w)
{
  read_some(w, byte(w));
}

static void greet(world *w, const char *name, size_t n)
{
  static const ss_verb verbs[] = {SS_EHLO, SS_HELO, SS_LHLO};
  ss_error e;
  size_t before = unwritten(w);
  check_command(w, ss_conn_greet(w->conn, verbs[byte(w) % 3], name, n, &e), &e, before);
}

static void op_greet(world *w)
{
  greet(w, "client.test", strlen("client.test"));
}

static void op_greet_any(world *w)
{
  size_t n;
  char *name = bytes(w, &n);
  greet(w, name, n);
  free(name);
}

static void op_auth(world *w)
{
  static const char *const names[] = {"PLAIN",   "LOGIN",         "CRAM-MD5",           "plain",
                                      "NONE",    "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS", "OAUTHBEARER",
                                      "XOAUTH2", "EXTERNAL",      "DIGEST-MD5",         "ANONYMOUS"};
  ss_error e;
  size_t n, before = unwritten(w);
  const char *name = names[byte(w) % (sizeof names / sizeof *names)];
  char *password = bytes(w, &n); /* or token */
  ss_credentials who = {.user = {"user", 4},
                        .password = {password, n},
                        .token = {password, n},
                        .host = {"mail.test", 9},
                        .port = 587,
                        .iterations = 5000,
                        .binding = "tls-exporter"};
  int64_t tag = ss_conn_auth(w->conn, name, &who, &e);
  w->free_speech |= tag > 0;
  check_command(w, tag, &e, before);
  free(password);
}

/* A mechanism outside: with an initial response or none, which is all of it or not. */
static void op_auth_outside(world *w)
{
  ss_error e;
  size_t n, before = unwritten(w);
  uint8_t flags = byte(w);
  char *initial = bytes(w, &n);
  int64_t tag = ss_conn_auth_outside(w->conn, "X-OWN", flags & 1 ? initial : NULL, n, flags & 2, &e);
  w->free_speech |= tag > 0;
  check_command(w, tag, &e, before);
  free(initial);
}

static void op_respond(world *w)
{
  ss_error e;
  size_t n, before = unwritten(w);
  uint8_t flags = byte(w);
  char *response = bytes(w, &n);
  ss_status status = ss_conn_respond(w->conn, flags & 1 ? response : NULL, n, flags & 2, &e);
  if (status == SS_OK)
    REQUIRE(!w->fault && ss_conn_waiting(w->conn) == SS_AUTH);
  else
    check_error(w, status, &e);
  REQUIRE(unwritten(w) == before || status == SS_OK || w->fault);
  free(response);
}

static void op_mail(world *w)
{
  ss_error e;
  size_t n, before = unwritten(w);
  uint8_t flags = byte(w);
  ss_mail_options o = {
      .size = (uint64_t)(flags >> 2) << 3, .body = (ss_body_type)(flags & 1), .smtputf8 = flags & 2};
  char *mailbox = bytes(w, &n);
  check_command(w, ss_conn_mail(w->conn, n ? mailbox : "a@client.test", n ? n : 13, &o, &e), &e, before);
  free(mailbox);
}

/* MAIL with everything that may stand behind it, in numbers that may be out of range. */
static void op_mail_with_all(world *w)
{
  ss_error e;
  size_t n, before = unwritten(w);
  uint8_t flags = byte(w);
  ss_mail_options o = {.size = byte(w),
                       .body = (ss_body_type)(flags % 3),
                       .smtputf8 = flags & 2,
                       .require_tls = flags & 4,
                       .ret = (ss_return)(flags >> 3 & 3) % 3,
                       .deliver = (ss_deliver)(flags >> 5 & 3) % 3,
                       .deliver_trace = flags & 128};
  o.deliver_by = (int32_t)(byte(w) * 0x01010101U);
  flags = byte(w);
  o.prioritized = flags & 1;
  o.priority = (int8_t)(flags >> 1);
  flags = byte(w);
  if (flags & 1) o.hold_for = (int32_t)(flags * 0x01010101U);
  if (flags & 2) o.hold_until = (int64_t)(flags * UINT64_C(0x0000010101010101));
  char *envid = bytes(w, &n);
  o.envid = envid;
  o.envid_length = n;
  int64_t tag = ss_conn_mail(w->conn, "a@client.test", 13, &o, &e);
  if (tag > 0 && o.body == SS_BODY_BINARY) w->binary = true;
  check_command(w, tag, &e, before);
  free(envid);
}

static void op_rcpt(world *w)
{
  ss_error e;
  size_t n, before = unwritten(w);
  uint8_t flags = byte(w);
  ss_rcpt_options o = {.notify = flags & 15, .orcpt = flags & 16};
  char *mailbox = bytes(w, &n);
  check_command(w, ss_conn_rcpt(w->conn, n ? mailbox : "b@mail.test", n ? n : 11, &o, &e), &e, before);
  free(mailbox);
}

static void simple(world *w, ss_verb verb)
{
  ss_error e;
  size_t before = unwritten(w);
  check_command(w, ss_conn_simple(w->conn, verb, &e), &e, before);
}

static void op_starttls(world *w)
{
  simple(w, SS_STARTTLS);
}

static void op_data(world *w)
{
  simple(w, SS_DATA);
}

static void op_rset(world *w)
{
  simple(w, SS_RSET);
}

static void op_noop(world *w)
{
  simple(w, SS_NOOP);
}

static void op_quit(world *w)
{
  simple(w, SS_QUIT);
}

static void give_body(world *w, const char *text, size_t n)
{
  ss_error e;
  ss_status status = ss_conn_body(w->conn, text, n, &e);
  w->free_speech |= status == SS_OK;
  if (status != SS_OK) check_error(w, status, &e);
}

static void op_body(world *w)
{
  size_t n;
  char *text = bytes(w, &n);
  give_body(w, text, n);
  free(text);
}

static void op_long_body(world *w)
{
  size_t n = 1 + (size_t)byte(w) * 1031;
  char *text = malloc(n);
  if (!text) abort();
  for (size_t i = 0; i < n; i++)
    text[i] = ".x\r\n."[i % 5];
  give_body(w, text, n);
  free(text);
}

static void op_end(world *w)
{
  ss_error e;
  size_t before = unwritten(w);
  check_command(w, ss_conn_end(w->conn, &e), &e, before);
}

static void give_chunk(world *w, const char *text, size_t n, bool last)
{
  ss_error e;
  size_t before = unwritten(w);
  check_command(w, ss_conn_chunk(w->conn, text, n, last, &e), &e, before);
}

static void op_chunk(world *w)
{
  bool last = byte(w) & 1;
  size_t n;
  char *text = bytes(w, &n);
  give_chunk(w, text, n, last);
  free(text);
}

/* A whole transaction, and what must follow it, in one go, as far as it is legal. */
static void op_transaction(world *w)
{
  ss_error e;
  const ss_mail_options mail = {0};
  const ss_rcpt_options rcpt = {0};
  size_t before = unwritten(w);
  check_command(w, ss_conn_mail(w->conn, "a@client.test", 13, &mail, &e), &e, before);
  for (int n = byte(w) % 4; n >= 0; n--) {
    before = unwritten(w);
    check_command(w, ss_conn_rcpt(w->conn, "b@mail.test", 11, &rcpt, &e), &e, before);
  }
  op_chunk(w);
  before = unwritten(w);
  check_command(w, ss_conn_simple(w->conn, SS_RSET, &e), &e, before);
}

static void op_close_notify(world *w)
{
  ss_conn_close_notify(w->conn);
}

static void (*const operations[])(world *) = {
    ['f'] = op_say,          ['i'] = op_inject,        ['e'] = op_end_of_stream, ['n'] = op_next,
    ['z'] = op_crank,        ['w'] = op_write,         ['r'] = op_read,          ['E'] = op_greet,
    ['H'] = op_greet_any,    ['S'] = op_starttls,      ['A'] = op_auth,          ['M'] = op_mail,
    ['R'] = op_rcpt,         ['D'] = op_data,          ['b'] = op_body,          ['B'] = op_long_body,
    ['.'] = op_end,          ['X'] = op_rset,          ['N'] = op_noop,          ['Q'] = op_quit,
    ['c'] = op_close_notify, ['m'] = op_mail_with_all, ['C'] = op_chunk,         ['T'] = op_transaction,
    ['O'] = op_auth_outside, ['o'] = op_respond,
};

/* ---- the run -------------------------------------------------------------------------------------------------- */

static ss_tls_context *context(ss_tls_role role)
{
  static char paths[2][512];
  ss_error e;
  ss_tls_settings settings = {.role = role};
  const char *pki = getenv("SS_FUZZ_PKI");
  if (pki && role == SS_TLS_CLIENT) {
    snprintf(paths[0], sizeof paths[0], "%s/ca.pem", pki);
    settings.ca_file = paths[0];
  } else if (pki) {
    snprintf(paths[1], sizeof paths[1], "%s/server.pem", pki);
    settings.cert = paths[1];
  }
  ss_tls_context *c = ss_tls_context_new(&settings, &e);
  if (c) return c;
  fprintf(stderr, "%s\n", e.text);
  abort();
}

static void begin(world *w, uint8_t choice)
{
  static ss_tls_context *client, *server;
  static const ss_tls_mode modes[] = {SS_TLS_NONE, SS_TLS_STARTTLS, SS_TLS_OPPORTUNISTIC, SS_TLS_NONE};
  ss_error e;
  if (!client) client = context(SS_TLS_CLIENT);
  w->mode = IN_TLS ? SS_TLS_IMPLICIT : modes[choice & 3];
  ss_conn_options options = {.mode = w->mode,
                             .context = w->mode == SS_TLS_NONE ? NULL : client,
                             .peer = {.name = "mail.test", .optional = choice & 4},
                             .insecure_cleartext = choice & 8,
                             .without_pipelining = choice & 16,
                             .without_chunking = choice & 32};
  ss_buf_init(&w->wire, SIZE_MAX / 4);
  w->conn = ss_conn_new(&options, &e);
  REQUIRE(w->conn);
  if (!IN_TLS) return;
  if (!server) server = context(SS_TLS_SERVER);
  w->server = ss_tls_new(server, NULL, NULL, &e);
  REQUIRE(w->server);
  crank(w); /* the handshake; what is done to it is the affair of OpenSSL's own tests */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
  world w = {.data = data, .left = n};
  if (n == 0) return 0;
  begin(&w, byte(&w));
  for (int i = 0; w.left && i < 2000; i++) {
    uint8_t letter = byte(&w);
    if (letter >= sizeof operations / sizeof *operations || !operations[letter]) continue;
    operations[letter](&w);
    check_state(&w);
  }
  crank(&w);
  check_state(&w);
  check_wire(&w);
  ss_conn_free(w.conn);
  ss_tls_free(w.server);
  ss_buf_free(&w.wire);
  return 0;
}
