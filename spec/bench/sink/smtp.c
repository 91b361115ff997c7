/* smtp: commands and replies, strictly in order. What may come when is in the table of verbs. */
#include "sink.h"

#include <ctype.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { LINE = 12288 + 2 }; /* RFC 4954 section 4: the longest that a client may send */

/* ---- saying ---- */

static void say(conn *c, int code, const char *enhanced, const char *format, ...)
{
  char line[512];
  int n = snprintf(line, sizeof line, "%d ", code);
  if (enhanced && the_sink.settings.offer & OFFER_ENHANCED)
    n += snprintf(line + n, sizeof line - (size_t)n, "%s ", enhanced);
  va_list args;
  va_start(args, format);
  n += vsnprintf(line + n, sizeof line - (size_t)n, format, args);
  va_end(args);
  bytes_add(&c->replies, line, (size_t)n);
  bytes_add(&c->replies, "\r\n", 2);
  if (code >= 500 && code <= 503) the_sink.counts.errors++;
}

static void say_out_of_order(conn *c, const char *what)
{
  say(c, 503, "5.5.1", "%s", what);
}

/* ---- transactions ---- */

static void forget_mail(smtp *s)
{
  s->in_mail = s->nack = false;
  s->recipients = s->asked = 0;
  body_begin(&s->body);
}

void smtp_secured(conn *c)
{
  forget_mail(&c->smtp);
  c->smtp.greeted = c->smtp.logged_in = false;
}

void smtp_free(conn *c)
{
  bytes_free(&c->smtp.body.head);
}

static void record(conn *c)
{
  sink *k = &the_sink;
  k->counts.commits++;
  k->counts.recipients += c->smtp.recipients;
  if (!k->settings.journal) return;
  if (k->commits == k->commits_size) {
    k->commits_size = k->commits_size ? k->commits_size * 2 : 64;
    k->journal = realloc(k->journal, k->commits_size * sizeof *k->journal);
    if (!k->journal) sink_die("memory");
  }
  commit *one = &k->journal[k->commits++];
  *one = (commit){.conn = c->number,
                  .bytes = c->smtp.body.count,
                  .recipients = c->smtp.recipients,
                  .crc = c->smtp.body.crc};
  body_id(&c->smtp.body, one->id, sizeof one->id);
}

static void decide(conn *c)
{
  smtp *s = &c->smtp;
  if (the_sink.settings.size_max && s->body.count > the_sink.settings.size_max) {
    say(c, 552, "5.3.4", "message too big");
  } else if (s->nack) {
    the_sink.counts.nacked++;
    say(c, 554, "5.6.0", "message refused");
  } else {
    record(c);
    say(c, 250, "2.0.0", "Ok: queued as B%llX", (unsigned long long)the_sink.counts.commits);
  }
  forget_mail(s);
}

/* The end of DATA, or of one chunk. */
void smtp_message_end(conn *c)
{
  body *b = &c->smtp.body;
  body_mode mode = b->mode;
  b->mode = BODY_NONE;
  if (mode == BODY_DATA || (mode == BODY_BDAT && b->last))
    decide(c);
  else if (mode == BODY_BDAT)
    say(c, 250, "2.0.0", "%llu octets", (unsigned long long)b->count);
}

/* ---- arguments ---- */

typedef struct {
  char *local, *rest; /* what is before the @, and the parameters */
  bool ascii;
} path;

/* "FROM:<a@b> X=Y": false when it is nothing like that. */
static bool parse_path(char *args, const char *keyword, path *to)
{
  size_t n = strlen(keyword);
  if (strncasecmp(args, keyword, n) != 0 || args[n] != '<') return false;
  char *at = args + n + 1, *p = at;
  bool quoted = false;
  to->ascii = true;
  for (; *p && (quoted || *p != '>'); p++) {
    if (*p == '"') quoted = !quoted;
    if (*p == '\\' && p[1]) p++;
    if ((unsigned char)*p >= 128) to->ascii = false;
  }
  if (*p != '>' || (p[1] && p[1] != ' ')) return false;
  to->local = at;
  to->rest = p + 1;
  *p = '\0';
  while (*to->rest == ' ')
    to->rest++;
  return true;
}

static bool begins(const path *p, const char *word)
{
  return strncasecmp(p->local, word, strlen(word)) == 0;
}

/* Parameters of MAIL (true) and RCPT, and what must be offered for them: a bit, or a keyword of an extra EHLO line. */
static const struct {
  const char *name;
  bool mail;
  unsigned offer;
  const char *keyword;
} parameters[] = {
    {"SIZE", true, OFFER_SIZE, NULL},         {"BODY", true, OFFER_8BITMIME, NULL},
    {"SMTPUTF8", true, OFFER_SMTPUTF8, NULL}, {"RET", true, OFFER_DSN, NULL},
    {"ENVID", true, OFFER_DSN, NULL},         {"AUTH", true, OFFER_AUTH, NULL},
    {"NOTIFY", false, OFFER_DSN, NULL},       {"ORCPT", false, OFFER_DSN, NULL},
    {"REQUIRETLS", true, 0, "REQUIRETLS"},    {"BY", true, 0, "DELIVERBY"},
    {"MT-PRIORITY", true, 0, "MT-PRIORITY"},  {"HOLDFOR", true, 0, "FUTURERELEASE"},
    {"HOLDUNTIL", true, 0, "FUTURERELEASE"},
};

static bool extra_offered(const char *keyword)
{
  size_t n = strlen(keyword);
  for (const char *line = the_sink.settings.extra; line && *line; line = strchr(line, '\n')) {
    line += *line == '\n';
    if (strncasecmp(line, keyword, n) == 0 && (line[n] == ' ' || line[n] == '\n')) return true;
  }
  return false;
}

static bool parameter_known(const char *name, size_t n, bool mail)
{
  for (size_t i = 0; i < sizeof parameters / sizeof *parameters; i++)
    if (parameters[i].mail == mail && strlen(parameters[i].name) == n &&
        strncasecmp(parameters[i].name, name, n) == 0)
      return parameters[i].keyword ? extra_offered(parameters[i].keyword)
                                   : (the_sink.settings.offer & parameters[i].offer) != 0;
  return false;
}

/* Answers and returns false when a parameter was not offered, or the declared size is too big. */
static bool check_parameters(conn *c, const path *p, bool mail, bool *utf8)
{
  for (char *at = p->rest; *at; at += strspn(at, " ")) {
    size_t word = strcspn(at, " "), name = strcspn(at, " =");
    if (!parameter_known(at, name, mail)) {
      say(c, 555, "5.5.4", "unsupported parameter %.*s", (int)(name > 99 ? 99 : name), at);
      return false;
    }
    if (mail && strncasecmp(at, "BODY=BINARYMIME", word) == 0 && !extra_offered("BINARYMIME")) {
      say(c, 501, "5.5.4", "BODY is 7BIT or 8BITMIME");
      return false;
    }
    if (mail && name == 4 && strncasecmp(at, "SIZE=", 5) == 0 && the_sink.settings.size_max &&
        strtoull(at + 5, NULL, 10) > the_sink.settings.size_max) {
      say(c, 552, "5.3.4", "message too big");
      return false;
    }
    if (utf8 && name == 8 && strncasecmp(at, "SMTPUTF8", 8) == 0) *utf8 = true;
    at += word;
  }
  return true;
}

/* ---- verbs ---- */

static void run_helo(conn *c, char *args)
{
  (void)args;
  forget_mail(&c->smtp);
  c->smtp.greeted = true;
  say(c, 250, NULL, "sink.test");
}

static void add_line(bytes *to, const char *text, size_t n)
{
  bytes_add(to, "250-", 4);
  bytes_add(to, text, n);
  bytes_add(to, "\r\n", 2);
}

static void run_ehlo(conn *c, char *args)
{
  static const struct {
    unsigned bit;
    const char *text;
  } lines[] = {
      {OFFER_PIPELINING, "PIPELINING"}, {OFFER_CHUNKING, "CHUNKING"}, {OFFER_8BITMIME, "8BITMIME"},
      {OFFER_SMTPUTF8, "SMTPUTF8"},     {OFFER_DSN, "DSN"},           {OFFER_ENHANCED, "ENHANCEDSTATUSCODES"},
      {OFFER_AUTH, "AUTH PLAIN LOGIN"},
  };
  (void)args;
  const settings *s = &the_sink.settings;
  forget_mail(&c->smtp);
  c->smtp.greeted = true;
  bytes_add(&c->replies, "250-sink.test\r\n", 15);
  for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
    if (s->offer & lines[i].bit) add_line(&c->replies, lines[i].text, strlen(lines[i].text));
  if (s->offer & OFFER_STARTTLS && !c->ssl) add_line(&c->replies, "STARTTLS", 8);
  if (s->offer & OFFER_SIZE) {
    char size[32];
    add_line(&c->replies, size,
             (size_t)snprintf(size, sizeof size, "SIZE %llu", (unsigned long long)s->size_max));
  }
  for (const char *line = s->extra; *line;) {
    size_t n = strcspn(line, "\n");
    add_line(&c->replies, line, n);
    line += n + 1;
  }
  bytes_add(&c->replies, "250 HELP\r\n", 10);
}

static void run_starttls(conn *c, char *args)
{
  if (!(the_sink.settings.offer & OFFER_STARTTLS) || c->ssl) {
    say_out_of_order(c, "no STARTTLS here");
  } else if (*args) {
    say(c, 501, "5.5.4", "STARTTLS takes no arguments");
  } else {
    say(c, 220, "2.0.0", "go ahead");
    c->start_tls = true;
  }
}

/* Every user is known, by every password but "wrong". */
static void judge_password(conn *c, const char *password)
{
  if (strcmp(password, "wrong") == 0) {
    say(c, 535, "5.7.8", "no");
  } else {
    c->smtp.logged_in = true;
    say(c, 235, "2.7.0", "welcome");
  }
}

/* Returns how many bytes were encoded, which are followed by a NUL; -1 when it is not base64. */
static int decode(const char *text, char *to, size_t size)
{
  size_t n = strlen(text);
  if (n % 4 != 0 || n >= size) return -1;
  int made = n == 0 ? 0 : EVP_DecodeBlock((unsigned char *)to, (const unsigned char *)text, (int)n);
  if (made > 0) made -= (text[n - 1] == '=') + (text[n - 2] == '=');
  if (made >= 0) to[made] = '\0';
  return made;
}

static void auth_response(conn *c, const char *text)
{
  char plain[LINE];
  auth_step step = c->smtp.auth;
  int n = decode(text, plain, sizeof plain);
  c->smtp.auth = AUTH_NONE;
  if (n < 0) {
    say(c, 501, "5.5.2", "that is not base64, or you gave up");
  } else if (step == AUTH_LOGIN_USER) {
    c->smtp.auth = AUTH_LOGIN_PASSWORD;
    bytes_add(&c->replies, "334 UGFzc3dvcmQ6\r\n", 18);
  } else if (step == AUTH_LOGIN_PASSWORD) {
    judge_password(c, plain);
  } else { /* RFC 4616: authorization NUL user NUL password */
    const char *user = memchr(plain, '\0', (size_t)n);
    const char *password = user ? memchr(user + 1, '\0', (size_t)(plain + n - user - 1)) : NULL;
    if (password)
      judge_password(c, password + 1);
    else
      say(c, 501, "5.5.2", "PLAIN has three parts");
  }
}

static void run_auth(conn *c, char *args)
{
  bool plain = strncasecmp(args, "PLAIN", 5) == 0, login = strncasecmp(args, "LOGIN", 5) == 0;
  if (!(the_sink.settings.offer & OFFER_AUTH) || c->smtp.logged_in || c->smtp.in_mail) {
    say_out_of_order(c, "no AUTH now");
  } else if ((!plain && !login) || (args[5] && args[5] != ' ')) {
    say(c, 504, "5.5.4", "PLAIN or LOGIN");
  } else {
    c->smtp.auth = plain ? AUTH_PLAIN : AUTH_LOGIN_USER;
    if (args[5])
      auth_response(c, strcmp(args + 6, "=") == 0 ? "" : args + 6);
    else if (plain)
      bytes_add(&c->replies, "334 \r\n", 6);
    else
      bytes_add(&c->replies, "334 VXNlcm5hbWU6\r\n", 18);
  }
}

static void run_mail(conn *c, char *args)
{
  path from;
  bool utf8 = false;
  smtp *s = &c->smtp;
  if (!parse_path(args, "FROM:", &from)) {
    say(c, 501, "5.5.4", "MAIL FROM:<address>");
  } else if (the_sink.settings.mail_max && s->mails >= the_sink.settings.mail_max) {
    say(c, 421, "4.7.0", "no more mails on this connection");
    wire_end(c);
  } else if (check_parameters(c, &from, true, &utf8)) {
    if (!from.ascii && !utf8) {
      say(c, 553, "5.6.7", "SMTPUTF8 was not asked for");
      return;
    }
    s->mails++;
    s->in_mail = true;
    s->nack = begins(&from, "nack");
    say(c, 250, "2.1.0", "ok");
  }
}

static void run_rcpt(conn *c, char *args)
{
  path to;
  smtp *s = &c->smtp;
  if (!parse_path(args, "TO:", &to)) {
    say(c, 501, "5.5.4", "RCPT TO:<address>");
  } else if (s->body.started) {
    say_out_of_order(c, "BDAT has begun");
  } else if (!check_parameters(c, &to, false, NULL)) {
    return;
  } else if (the_sink.settings.rcpt_max && s->asked >= the_sink.settings.rcpt_max) {
    say(c, 452, "4.5.3", "too many recipients");
  } else if (begins(&to, "refuse")) {
    s->asked++;
    the_sink.counts.refused++;
    say(c, 550, "5.1.1", "no such user");
  } else if (begins(&to, "later")) {
    s->asked++;
    the_sink.counts.deferred++;
    say(c, 451, "4.3.0", "later");
  } else {
    s->asked++;
    s->recipients++;
    say(c, 250, "2.1.5", "ok");
  }
}

static void refuse_message(conn *c, int code, const char *enhanced, const char *why)
{
  say(c, code, enhanced, "%s", why);
  if (the_sink.settings.lenient) forget_mail(&c->smtp);
}

static void run_data(conn *c, char *args)
{
  (void)args;
  smtp *s = &c->smtp;
  if (s->body.started) {
    say_out_of_order(c, "BDAT has begun");
  } else if (s->recipients == 0) {
    refuse_message(c, 554, "5.5.1", "no valid recipients");
  } else {
    body_begin(&s->body);
    s->body.mode = BODY_DATA;
    s->body.dot = 2; /* the message begins at the start of a line */
    say(c, 354, NULL, "go on");
  }
}

static void swallow(conn *c, uint64_t octets)
{
  if (octets == 0) return;
  c->smtp.body.mode = BODY_SWALLOW;
  c->smtp.body.left = octets;
}

/* RFC 3030 section 2. The octets follow whatever is answered. */
static void run_bdat(conn *c, char *args)
{
  smtp *s = &c->smtp;
  char *end;
  uint64_t octets = strtoull(args, &end, 10);
  bool last = strcasecmp(end, " LAST") == 0;
  if (!isdigit((unsigned char)*args) || (*end && !last)) {
    say(c, 501, "5.5.4", "BDAT octets [LAST]");
    wire_end(c); /* nobody knows where the next command begins */
  } else if (the_sink.settings.broken == BROKEN_CHUNKING_CLOSE) {
    wire_end(c);
  } else if (the_sink.settings.broken == BROKEN_CHUNKING_RAW) {
    say(c, 500, "5.5.1", "what?");
  } else if (the_sink.settings.broken == BROKEN_CHUNKING || !(the_sink.settings.offer & OFFER_CHUNKING)) {
    say(c, 500, "5.5.1", "what?");
    swallow(c, octets);
  } else if (!s->in_mail || s->recipients == 0) {
    swallow(c, octets);
    say_out_of_order(c, "no valid recipients");
    if (last && the_sink.settings.lenient) s->in_mail = false;
  } else {
    if (!s->body.started) body_begin(&s->body);
    s->body.started = true;
    s->body.mode = BODY_BDAT;
    s->body.left = octets;
    s->body.last = last;
    if (octets == 0) smtp_message_end(c);
  }
}

static void run_rset(conn *c, char *args)
{
  (void)args;
  forget_mail(&c->smtp);
  say(c, 250, "2.0.0", "ok");
}

static void run_noop(conn *c, char *args)
{
  (void)args;
  say(c, 250, "2.0.0", "ok");
}

static void run_vrfy(conn *c, char *args)
{
  (void)args;
  say(c, 252, "2.5.0", "send and see");
}

static void run_help(conn *c, char *args)
{
  (void)args;
  say(c, 214, "2.0.0", "this is the sink of a bench");
}

static void run_quit(conn *c, char *args)
{
  (void)args;
  say(c, 221, "2.0.0", "bye");
  wire_end(c);
}

/* When a verb is legal: after EHLO, outside a transaction, inside one. */
enum { ANY = 0, GREETED = 1, OUTSIDE = 2, INSIDE = 4 };

static const struct verb {
  const char *name;
  void (*run)(conn *c, char *args);
  unsigned when;
  trip trip;
} verbs[] = {
    {"EHLO", run_ehlo, ANY, TRIP_SETUP},
    {"HELO", run_helo, ANY, TRIP_SETUP},
    {"STARTTLS", run_starttls, GREETED | OUTSIDE, TRIP_SETUP},
    {"AUTH", run_auth, GREETED, TRIP_SETUP},
    {"MAIL", run_mail, GREETED | OUTSIDE, TRIP_WARM},
    {"RCPT", run_rcpt, GREETED | INSIDE, TRIP_WARM},
    {"DATA", run_data, GREETED | INSIDE, TRIP_WARM},
    {"BDAT", run_bdat, ANY, TRIP_WARM}, /* its octets come even when it is refused */
    {"RSET", run_rset, ANY, TRIP_WARM},
    {"NOOP", run_noop, ANY, TRIP_WARM},
    {"VRFY", run_vrfy, ANY, TRIP_WARM},
    {"HELP", run_help, ANY, TRIP_WARM},
    {"QUIT", run_quit, ANY, TRIP_QUIT},
};

static const struct verb *find_verb(const char *line, size_t n)
{
  for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
    if (strlen(verbs[i].name) == n && strncasecmp(verbs[i].name, line, n) == 0) return &verbs[i];
  return NULL;
}

static void run(conn *c, char *line)
{
  size_t n = strcspn(line, " ");
  const struct verb *verb = find_verb(line, n);
  char *args = line + n + strspn(line + n, " ");
  if (!verb) {
    say(c, 500, "5.5.1", "what?");
    return;
  }
  c->saw |= 1U << verb->trip;
  if (verb->when & GREETED && !c->smtp.greeted)
    say_out_of_order(c, "EHLO first");
  else if (verb->when & OUTSIDE && c->smtp.in_mail)
    say_out_of_order(c, "a transaction is open");
  else if (verb->when & INSIDE && !c->smtp.in_mail)
    say_out_of_order(c, "MAIL first");
  else
    verb->run(c, args);
}

/* Returns whether there was a whole line. */
static bool command(conn *c)
{
  char *at = bytes_at(&c->input), line[LINE];
  size_t n = bytes_count(&c->input);
  const char *lf = memchr(at, '\n', n);
  if (!lf && n <= LINE) return false;
  size_t whole = lf ? (size_t)(lf - at) + 1 : n;
  the_sink.counts.commands++;
  if (whole > LINE || whole < 2 || at[whole - 2] != '\r' || memchr(at, '\0', whole)) {
    say(c, 500, "5.5.2", "a line ends with CRLF, is not too long and has no NUL");
    wire_end(c);
    return false;
  }
  memcpy(line, at, whole - 2);
  line[whole - 2] = '\0';
  bytes_drop(&c->input, whole);
  if (c->smtp.auth != AUTH_NONE)
    auth_response(c, line);
  else
    run(c, line);
  if (the_sink.settings.broken == BROKEN_PIPELINING) bytes_drop(&c->input, bytes_count(&c->input));
  return true;
}

void smtp_greet(conn *c)
{
  say(c, 220, NULL, "sink.test ESMTP");
}

void smtp_input(conn *c)
{
  while (c->state == LINK_OPEN && bytes_count(&c->input) > 0 && !c->start_tls) {
    if (c->smtp.body.mode != BODY_NONE) {
      c->saw |= 1U << TRIP_WARM;
      body_take(c);
    } else if (!command(c)) {
      return;
    }
  }
}
