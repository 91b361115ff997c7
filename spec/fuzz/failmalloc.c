/* failmalloc: whole sessions in memory, in which each allocation fails in turn: that one alone, and that one and all
 * after it. Ours and OpenSSL's are counted alike.
 *
 * Each time the session must end by itself, with an error or with everything having arrived as it should, keep repeating
 * its error, and give all its memory back. No block that the client gives back may still hold the password, nor may any
 * that it keeps once it has logged in.
 *
 * Usage: failmalloc FOLDER, where pki.sh has put its certificates. Linked with --wrap for malloc, calloc, realloc,
 * free, ss_random and PKCS5_PBKDF2_HMAC. Ends with "N passed, N failed"; fails when one did. */
#include "base/base64.h"
#include "smtpsec.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the allocator -------------------------------------------------------------------------------------------- */

void *__real_malloc(size_t n);
void __real_free(void *p);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t count, size_t n);
void *__wrap_realloc(void *p, size_t n);
void __wrap_free(void *p);

/* What nobody may find afterwards: the beginning of the passwords, and of base64 of PLAIN's message for user joe. */
#define SECRET        "correct-horse-battery"
#define SECRET_BASE64 "AGpvZQBjb3JyZWN0LWhvcnNlLWJhdHRl"

typedef struct block {
  _Alignas(16) struct block *previous, *next; /* in a ring through heap.ring */
  size_t size;
  bool client; /* the client took it: it must not leave the password behind, which the server may know */
} block;

static struct {
  bool on;        /* the side under test is running */
  bool client;    /* and is the client */
  bool spared;    /* its allocations neither count nor fail for now */
  long seen;      /* allocations of that side */
  long fails;     /* which of them fails; 0: none */
  bool and_after; /* and all that follow */
  long live;      /* blocks, of everybody */
  block ring;     /* the same */
  bool remembers; /* a block was given back with the password in it */
} heap = {.ring = {.previous = &heap.ring, .next = &heap.ring}};

static void *take(size_t n)
{
  if (heap.on && !heap.spared) {
    heap.seen++;
    if (heap.fails && (heap.seen == heap.fails || (heap.and_after && heap.seen > heap.fails))) return NULL;
  }
  block *b = __real_malloc(sizeof *b + n);
  if (!b) abort();
  *b = (block){.previous = &heap.ring, .next = heap.ring.next, .size = n, .client = heap.on && heap.client};
  b->previous->next = b->next->previous = b;
  heap.live++;
  return memset(b + 1, 0xA5, n); /* not what somebody left there before */
}

static bool remembers(const block *b)
{
  return b->client && (memmem(b + 1, b->size, SECRET, strlen(SECRET)) ||
                       memmem(b + 1, b->size, SECRET_BASE64, strlen(SECRET_BASE64)));
}

static bool client_remembers(void)
{
  for (const block *b = heap.ring.next; b != &heap.ring; b = b->next)
    if (remembers(b)) return true;
  return false;
}

static void give(void *p)
{
  if (!p) return;
  block *b = (block *)p - 1;
  heap.remembers |= remembers(b);
  b->previous->next = b->next;
  b->next->previous = b->previous;
  heap.live--;
  __real_free(b);
}

static void *again(void *p, size_t n)
{
  void *larger = take(n);
  size_t old = p ? ((block *)p - 1)->size : 0;
  if (!larger) return NULL;
  if (p) memcpy(larger, p, old < n ? old : n);
  give(p);
  return larger;
}

void *__wrap_malloc(size_t n)
{
  return take(n);
}

void *__wrap_calloc(size_t count, size_t n)
{
  void *p = take(count * n);
  return p ? memset(p, 0, count * n) : NULL;
}

void *__wrap_realloc(void *p, size_t n)
{
  return again(p, n);
}

void __wrap_free(void *p)
{
  give(p);
}

static void *openssl_malloc(size_t n, const char *file, int line)
{
  (void)file, (void)line;
  return n ? take(n) : NULL;
}

static void *openssl_realloc(void *p, size_t n, const char *file, int line)
{
  (void)file, (void)line;
  return again(p, n);
}

static void openssl_free(void *p, const char *file, int line)
{
  (void)file, (void)line;
  give(p);
}

/* A nonce of SCRAM, the same in each session, so that the server can be a script. */
bool __wrap_ss_random(void *p, size_t n);

bool __wrap_ss_random(void *p, size_t n)
{
  memset(p, 0, n);
  return true;
}

/* OpenSSL allocates in each of the many rounds: here they fail as one, and are only watched for what they give back. */
int __real_PKCS5_PBKDF2_HMAC(const char *password, int n, const unsigned char *salt, int salt_length,
                             int rounds, const EVP_MD *hash, int size, unsigned char *to);
int __wrap_PKCS5_PBKDF2_HMAC(const char *password, int n, const unsigned char *salt, int salt_length,
                             int rounds, const EVP_MD *hash, int size, unsigned char *to);

int __wrap_PKCS5_PBKDF2_HMAC(const char *password, int n, const unsigned char *salt, int salt_length,
                             int rounds, const EVP_MD *hash, int size, unsigned char *to)
{
  void *one = take(1);
  if (!one) return 0;
  give(one);
  heap.spared = true;
  int result = __real_PKCS5_PBKDF2_HMAC(password, n, salt, salt_length, rounds, hash, size, to);
  heap.spared = false;
  return result;
}

/* ---- what is said --------------------------------------------------------------------------------------------- */

/* The message, longer than a record of TLS, and how it travels. */
enum { LINES = 4000 };
static char message[LINES * (sizeof ".line\n" - 1)],
    travelling[LINES * (sizeof "..line\r\n" - 1) + sizeof ".\r\n"];

static void write_message(void)
{
  char *m = message, *t = travelling;
  for (int i = 0; i < LINES; i++) {
    m = mempcpy(m, ".line\n", 6);
    t = mempcpy(t, "..line\r\n", 8);
  }
  memcpy(t, ".\r\n", 4);
}

/* The server's part: what it must hear, then what it says; TLS begins where it says nothing. */
typedef struct step {
  const char *hears, *says;
} step;

#define HELLO "EHLO client.test\r\n"
#define ENVELOPE                                                                                             \
  "MAIL FROM:<a@client.test> BODY=8BITMIME\r\nRCPT TO:<b@mail.test>\r\nRCPT TO:<c@mail.test>\r\nDATA\r\n"
#define ANSWERS "250 2.1.0 ok\r\n250 2.1.5 ok\r\n550 5.1.1 no\r\n354 go\r\n"

static const step with_starttls[] = {
    {"", "220 mail.test\r\n"},
    {HELLO, "250-mail.test\r\n250-PIPELINING\r\n250 STARTTLS\r\n"},
    {"STARTTLS\r\n", "220 go\r\n"},
    {"", NULL},
    {HELLO, "250-mail.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 AUTH PLAIN\r\n"},
    {"AUTH PLAIN " SECRET_BASE64 "cnk=\r\n", "235 ok\r\n"},
    {ENVELOPE, ANSWERS},
    {travelling, "250 queued\r\n"},
    {"QUIT\r\n", "221 bye\r\n"},
};

/* Too long for the line of AUTH PLAIN. */
static char long_password[700], long_response[1000];

static void write_password(void)
{
  uint8_t plain[5 + sizeof long_password] = "\0joe";
  memset(long_password, 'x', sizeof long_password - 1);
  memcpy(long_password, SECRET, strlen(SECRET));
  memcpy(plain + 5, long_password, sizeof long_password - 1);
  size_t n = ss_base64_encode(long_response, plain, 5 + sizeof long_password - 1);
  memcpy(long_response + n, "\r\n", 3);
}

static const step with_long_password[] = {
    {"", "220 mail.test\r\n"},
    {HELLO, "250-mail.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 AUTH PLAIN\r\n"},
    {"AUTH PLAIN\r\n", "334 \r\n"},
    {long_response, "235 ok\r\n"},
    {ENVELOPE, ANSWERS},
    {travelling, "250 queued\r\n"},
    {"QUIT\r\n", "221 bye\r\n"},
};

static const step with_token[] = {
    {"", "220 mail.test\r\n"},
    {HELLO, "250-mail.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 AUTH OAUTHBEARER\r\n"},
    {"AUTH OAUTHBEARER bixhPWpvZSwBYXV0aD1CZWFyZXIgY29ycmVjdC1ob3JzZS1iYXR0ZXJ5AQE=\r\n",
     "334 eyJzdGF0dXMiOiI0MDEifQ==\r\n"},
    {"AQ==\r\n", "535 no\r\n"},
    {ENVELOPE, ANSWERS},
    {travelling, "250 queued\r\n"},
    {"QUIT\r\n", "221 bye\r\n"},
};

static const step in_clear[] = {
    {"", "220 mail.test\r\n"},
    {HELLO, "250-mail.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 AUTH CRAM-MD5\r\n"},
    {"AUTH CRAM-MD5\r\n", "334 PDFAbWFpbC50ZXN0Pg==\r\n"},
    {"am9lIDdhODI5ZjlmNmM2MjYyN2FlODU3ZGI3MzQwZDAyOTc4\r\n", "235 ok\r\n"},
    {ENVELOPE, ANSWERS},
    {travelling, "250 queued\r\n"},
    {"QUIT\r\n", "221 bye\r\n"},
};

/* With a nonce that __wrap_ss_random makes, and the rest by Python's hashlib and hmac. */
static const step with_scram[] = {
    {"", "220 mail.test\r\n"},
    {HELLO, "250-mail.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 AUTH SCRAM-SHA-256\r\n"},
    {"AUTH SCRAM-SHA-256 biwsbj1qb2Uscj1BQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=\r\n",
     "334 cj1BQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFtYWlsLnRlc3Qscz1jMkZzZEE9PSxpPTQwOTY=\r\n"},
    {"Yz1iaXdzLHI9QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBbWFpbC50ZXN0LHA9VkdpclA1Vm92bmFFcktiR3BVdGhlS2"
     "MyRTVpQzBEUW9HeGtRZWJhd3ZIcz0=\r\n",
     "334 dj1DOGVzMDBvaFE1WUpmZklmbUI1NFJvK2pjQUtaTDcyb053MGtNaFJFQTZZPQ==\r\n"},
    {"\r\n", "235 ok\r\n"},
    {ENVELOPE, ANSWERS},
    {travelling, "250 queued\r\n"},
    {"QUIT\r\n", "221 bye\r\n"},
};

/* The same in one flight. */
static char chunked[LINES * (sizeof ".line\r\n" - 1) + 512];

static void write_chunked(void)
{
  char *t = chunked;
  t += sprintf(t,
               "MAIL FROM:<a@client.test> BODY=8BITMIME RET=HDRS ENVID=a+2Bb\r\n"
               "RCPT TO:<b@mail.test> NOTIFY=FAILURE,DELAY ORCPT=rfc822;b@mail.test\r\n"
               "RCPT TO:<c@mail.test> NOTIFY=FAILURE,DELAY ORCPT=rfc822;c@mail.test\r\n"
               "BDAT %zu LAST\r\n",
               (size_t)LINES * 7 + 3);
  for (int i = 0; i < LINES; i++)
    t = mempcpy(t, ".line\r\n", 7);
  strcpy(t, "x\r\nRSET\r\n");
}

static const step in_one_flight[] = {
    {"", "220 mail.test\r\n"},
    {HELLO,
     "250-mail.test\r\n250-PIPELINING\r\n250-CHUNKING\r\n250-DSN\r\n250-8BITMIME\r\n250 AUTH PLAIN\r\n"},
    {"AUTH PLAIN " SECRET_BASE64 "cnk=\r\n", "235 ok\r\n"},
    {chunked, "250 2.1.0 ok\r\n250 2.1.5 ok\r\n550 5.1.1 no\r\n250 queued\r\n250 ok\r\n"},
    {"QUIT\r\n", "221 bye\r\n"},
};

/* ---- a session ------------------------------------------------------------------------------------------------ */

typedef struct plan {
  const char *name;
  ss_tls_mode mode;
  const char *mechanism, *password; /* or token */
  const step *steps;                /* NULL: a context is made, and that is all */
  size_t count;
  bool server_fails; /* the server's allocations are the ones that fail */
  bool chunked;      /* the message goes with BDAT */
} plan;

typedef struct session {
  const plan *plan;
  ss_tls_context *made; /* where that is all there is to do */
  ss_conn *conn;
  ss_tls *filter;     /* the server's; NULL while it speaks in clear */
  ss_buf heard, says; /* by the server: in clear, for the wire */
  size_t step;        /* of the server */
  int turn;           /* of the client */
  int awaited;        /* events before its next */
  bool finished;      /* the client has done all it wanted */
  bool deaf;          /* the server could not begin with TLS */
  bool remembers;     /* the client kept the password after its login */
  bool litter;        /* errors of OpenSSL were left behind */
  bool wrong;         /* the server heard what it must not */
  ss_error e;
} session;

static const char *folder;
static ss_tls_context *contexts[2]; /* of all sessions, by role */

/* Runs a call of one side with the heap's eye on it where that is the side under test. */
#define CLIENT(s, call) (heap.on = !(s)->plan->server_fails, (call))
#define SERVER(s, call) (heap.on = (s)->plan->server_fails, (call))

/* OpenSSL's error queue belongs to the whole process: whatever is in it after a call was left there for others. */
static void look_for_litter(session *s)
{
  heap.on = false;
  s->litter |= ERR_peek_error() != 0;
  ERR_clear_error();
}

static ss_tls_context *make_context(ss_tls_role role, ss_error *e)
{
  char path[512];
  ss_tls_settings settings = {.role = role};
  snprintf(path, sizeof path, "%s/%s.pem", folder, role == SS_TLS_CLIENT ? "ca" : "server");
  if (role == SS_TLS_CLIENT) settings.ca_file = path;
  if (role == SS_TLS_SERVER) settings.cert = path;
  return ss_tls_context_new(&settings, e);
}

static void server_says(session *s, const char *words)
{
  size_t n = strlen(words), taken = 0, lent;
  if (!s->filter) {
    ss_buf_append(&s->says, words, n);
    return;
  }
  SERVER(s, ss_tls_write(s->filter, words, n, &taken));
  heap.on = false;
  const uint8_t *bytes = ss_tls_output(s->filter, &lent);
  ss_buf_append(&s->says, bytes, lent);
  ss_tls_consumed(s->filter, lent);
}

/* Takes one step, when its time has come. */
static bool server_steps(session *s)
{
  if (s->step == s->plan->count || (s->filter && !ss_tls_is_up(s->filter))) return false;
  const step *step = &s->plan->steps[s->step];
  size_t n = strlen(step->hears), have = ss_buf_len(&s->heard);
  s->wrong |= have && memcmp(step->hears, ss_buf_data(&s->heard), have < n ? have : n) != 0;
  if (have < n) return false;
  s->step++;
  ss_buf_consume(&s->heard, n);
  if (step->says) {
    server_says(s, step->says);
    return true;
  }
  SERVER(s, s->filter = ss_tls_new(contexts[SS_TLS_SERVER], NULL, NULL, &s->e));
  heap.on = false;
  s->deaf = !s->filter;
  return s->filter != NULL;
}

static void server_hears(session *s, const uint8_t *bytes, size_t n)
{
  size_t lent;
  if (s->deaf) return;
  if (!s->filter) {
    ss_buf_append(&s->heard, bytes, n);
  } else {
    SERVER(s, ss_tls_feed(s->filter, bytes, n));
    ss_tls_handshake(s->filter);
    while (ss_tls_read(s->filter, &s->heard) == SS_OK) {
    }
    heap.on = false;
    bytes = ss_tls_output(s->filter, &lent);
    ss_buf_append(&s->says, bytes, lent);
    ss_tls_consumed(s->filter, lent);
  }
  while (!s->wrong && server_steps(s)) {
  }
}

/* ---- the client ----------------------------------------------------------------------------------------------- */

static ss_status send_message(session *s)
{
  ss_status status = SS_OK;
  for (size_t i = 0; i < sizeof message && status == SS_OK; i += 5000)
    status = ss_conn_body(s->conn, message + i, sizeof message - i < 5000 ? sizeof message - i : 5000, &s->e);
  return status;
}

/* The whole message, with a line more that has no end, and what must follow it. */
static int64_t send_chunk(session *s)
{
  static char all[sizeof message + 1];
  memcpy(all, message, sizeof message);
  all[sizeof message] = 'x';
  int64_t tag = ss_conn_chunk(s->conn, all, sizeof all, true, &s->e);
  return tag > 0 ? ss_conn_simple(s->conn, SS_RSET, &s->e) : tag;
}

/* Does the next thing: how many events are then awaited, or a failure; 0 at the end. */
static int64_t next_turn(session *s)
{
  ss_conn *c = s->conn;
  ss_error *e = &s->e;
  const char *password = s->plan->password;
  const ss_mail_options options = {
      .body = SS_BODY_8BIT, .ret = SS_RETURN_HEADERS, .envid = "a+b", .envid_length = 3};
  const ss_rcpt_options to = {.notify = SS_NOTIFY_FAILURE | SS_NOTIFY_DELAY, .orcpt = true};
  int64_t tag;
  switch (s->turn++) {
  case 0: return 1; /* the greeting */
  case 1: tag = ss_conn_greet(c, SS_EHLO, "client.test", 11, e); break;
  case 2:
    if (s->plan->mode == SS_TLS_NONE) return next_turn(s);
    tag = ss_conn_simple(c, SS_STARTTLS, e);
    if (tag > 0) return 2; /* the reply, and that TLS is up */
    break;
  case 3:
    if (s->plan->mode == SS_TLS_NONE) return next_turn(s);
    tag = ss_conn_greet(c, SS_EHLO, "client.test", 11, e);
    break;
  case 4: {
    const ss_span secret = {password, strlen(password)};
    const ss_credentials who = {
        .user = {"joe", 3}, .password = secret, .token = secret, .iterations = SS_ITERATIONS};
    tag = ss_conn_auth(c, s->plan->mechanism, &who, e);
    break;
  }
  case 5:
    s->remembers = client_remembers();
    tag = ss_conn_mail(c, "a@client.test", 13, &options, e);
    if (tag > 0) tag = ss_conn_rcpt(c, "b@mail.test", 11, &to, e);
    if (tag > 0) tag = ss_conn_rcpt(c, "c@mail.test", 11, &to, e);
    if (tag > 0) tag = s->plan->chunked ? send_chunk(s) : ss_conn_simple(c, SS_DATA, e);
    if (tag > 0) return s->plan->chunked ? 5 : 4;
    break;
  case 6:
    if (s->plan->chunked) return next_turn(s);
    tag = send_message(s);
    if (tag == SS_OK) tag = ss_conn_end(c, e);
    break;
  case 7: tag = ss_conn_simple(c, SS_QUIT, e); break;
  default: ss_conn_close_notify(c); return 0;
  }
  return tag > 0 ? 1 : tag;
}

/* Lets the client do what it can: SS_AGAIN when it needs bytes, SS_OK at its end, or a failure. */
static ss_status client_runs(session *s)
{
  ss_event event;
  for (;;) {
    if (s->awaited == 0) {
      int64_t more = next_turn(s);
      if (more <= 0) return (ss_status)more;
      s->awaited = (int)more;
    }
    ss_status status = ss_conn_next(s->conn, &event, &s->e);
    if (status != SS_OK) return status;
    s->awaited--;
  }
}

/* One turn of the crank. SS_AGAIN: go on. */
static ss_status crank(session *s)
{
  const uint8_t *bytes;
  size_t n;
  ss_status status = s->finished ? SS_OK : CLIENT(s, client_runs(s));
  look_for_litter(s);
  s->finished = status == SS_OK;
  if (status == SS_OK || status == SS_AGAIN) {
    ss_status written = CLIENT(s, ss_conn_output(s->conn, &bytes, &n, &s->e));
    look_for_litter(s);
    if (written != SS_OK) return written;
    if (n == 0 && s->finished) return SS_OK;
    if (n) {
      server_hears(s, bytes, n);
      ss_conn_consumed(s->conn, n);
      return SS_AGAIN;
    }
    n = ss_buf_len(&s->says);
    if (n > SS_FEED_MAX) n = SS_FEED_MAX;
    status = CLIENT(s, ss_conn_feed(s->conn, n ? ss_buf_data(&s->says) : (const uint8_t *)"", n, &s->e));
    ss_buf_consume(&s->says, n);
    if (status == SS_OK) return SS_AGAIN;
  }
  return status;
}

/* An error stays what it is, whatever is called then; what is left to write can be written. */
static bool is_sticky(session *s, ss_status status)
{
  ss_error e;
  ss_event event;
  const uint8_t *bytes;
  size_t n;
  if (!s->conn || status > SS_E_PROTOCOL) return true;
  ss_conn_output(s->conn, &bytes, &n, &e);
  ss_conn_consumed(s->conn, n);
  return ss_conn_failed(s->conn) && ss_conn_next(s->conn, &event, &e) == status && e.status == status &&
         ss_conn_feed(s->conn, "x", 1, &e) == status && ss_conn_simple(s->conn, SS_NOOP, &e) == status &&
         !ss_conn_is_idle(s->conn);
}

static ss_status begin(session *s)
{
  const plan *p = s->plan;
  const ss_conn_options options = {.mode = p->mode,
                                   .context = p->mode == SS_TLS_NONE ? NULL : contexts[SS_TLS_CLIENT],
                                   .peer = {.name = "mail.test"},
                                   .insecure_cleartext = p->mode == SS_TLS_NONE};
  heap.on = !p->steps || !p->server_fails;
  if (p->steps)
    s->conn = ss_conn_new(&options, &s->e);
  else
    s->made = make_context(p->server_fails ? SS_TLS_SERVER : SS_TLS_CLIENT, &s->e);
  heap.on = false;
  while (s->conn && server_steps(s)) {
  }
  return s->conn ? SS_AGAIN : s->made ? SS_OK : s->e.status;
}

static void end(session *s)
{
  heap.on = false;
  ss_conn_free(s->conn);
  ss_tls_free(s->filter);
  ss_tls_context_unref(s->made);
  ss_buf_free(&s->heard);
  ss_buf_free(&s->says);
  ERR_clear_error();
}

/* ---- judging -------------------------------------------------------------------------------------------------- */

typedef struct verdict {
  ss_status status;
  long left;           /* blocks that were not given back */
  const char *trouble; /* NULL: as it should be */
} verdict;

static const char *trouble_of(session *s, ss_status status, int turns)
{
  if (turns == 0) return "it does not end";
  if (s->wrong) return "the server heard what was not said";
  if (s->litter) return "errors are left in OpenSSL's queue";
  if (status == SS_OK && s->step != s->plan->count) return "success, and not everything arrived";
  if (status != SS_OK && (s->e.status != status || !s->e.text[0])) return "an error without its words";
  if (!is_sticky(s, status)) return "an error that does not stay";
  if (s->remembers) return "the password is kept after the login";
  return heap.remembers ? "a block was given back with the password in it" : NULL;
}

static verdict play(const plan *plan, long fails, bool and_after)
{
  session s = {.plan = plan};
  long before = heap.live;
  int turns = 1000;
  heap.seen = 0;
  heap.fails = fails;
  heap.and_after = and_after;
  heap.remembers = false;
  heap.client = !plan->server_fails;
  ss_buf_init(&s.heard, SIZE_MAX / 4);
  ss_buf_init(&s.says, SIZE_MAX / 4);
  ss_status status = begin(&s);
  while (status == SS_AGAIN && --turns)
    status = crank(&s);
  verdict v = {.status = status, .trouble = trouble_of(&s, status, turns)};
  end(&s);
  v.left = heap.live - before;
  return v;
}

/* What stays behind once may be a cache of OpenSSL's; what stays behind each time is a leak. */
static const char *judge(const plan *plan, long fails, bool and_after, ss_status *status)
{
  verdict v = play(plan, fails, and_after);
  for (int i = 0; i < 3 && !v.trouble && v.left > 0; i++)
    v = play(plan, fails, and_after);
  *status = v.status;
  return v.trouble ? v.trouble : v.left > 0 ? "it does not give its memory back" : NULL;
}

static long passed, failed;

static void report(const plan *plan, long fails, bool and_after, const char *trouble)
{
  if (!trouble) {
    passed++;
    return;
  }
  failed++;
  if (failed <= 20)
    printf("%s, allocation %ld%s: %s\n", plan->name, fails, and_after ? " and all after it" : "", trouble);
}

static void run(const plan *plan)
{
  long errors = 0, memory = 0, runs = 0;
  ss_status status;
  for (int i = 0; i < 3; i++) /* OpenSSL fills its caches */
    play(plan, 0, false);
  const char *trouble = judge(plan, 0, false, &status);
  long total = heap.seen;
  report(plan, 0, false, trouble ? trouble : status == SS_OK ? NULL : "it fails without a reason");
  for (int and_after = 0; and_after < 2; and_after++) {
    for (long i = 1; i <= total; i++) {
      report(plan, i, and_after, judge(plan, i, and_after, &status));
      runs++;
      errors += status != SS_OK;
      memory += status == SS_E_MEMORY;
    }
  }
  printf("%s: %ld allocations, %ld runs: %ld ended in an error (%ld of them \"memory\"), %ld did without\n",
         plan->name, total, runs, errors, memory, runs - errors);
}

int main(int argc, char **argv)
{
#define STEPS(script) script, sizeof script / sizeof *script
  static const plan plans[] = {
      {"a client's context", .server_fails = false},
      {"a server's context", .server_fails = true},
      {"in clear with CRAM-MD5", SS_TLS_NONE, "CRAM-MD5", SECRET, STEPS(in_clear), false, false},
      {"in clear with a token", SS_TLS_NONE, "OAUTHBEARER", SECRET, STEPS(with_token), false, false},
      {"in clear with SCRAM-SHA-256", SS_TLS_NONE, "SCRAM-SHA-256", SECRET, STEPS(with_scram), false, false},
      {"in clear with a long password", SS_TLS_NONE, "PLAIN", long_password, STEPS(with_long_password), false,
       false},
      {"in clear with BDAT", SS_TLS_NONE, "PLAIN", SECRET, STEPS(in_one_flight), false, true},
      {"STARTTLS with PLAIN", SS_TLS_STARTTLS, "PLAIN", SECRET, STEPS(with_starttls), false, false},
      {"STARTTLS, the server's side", SS_TLS_STARTTLS, "PLAIN", SECRET, STEPS(with_starttls), true, false},
  };
  ss_error e;
  if (argc != 2 || !CRYPTO_set_mem_functions(openssl_malloc, openssl_realloc, openssl_free)) return 2;
  folder = argv[1];
  for (int role = 0; role < 2; role++)
    if (!(contexts[role] = make_context((ss_tls_role)role, &e))) return 2;
  write_message();
  write_password();
  write_chunked();
  for (size_t i = 0; i < sizeof plans / sizeof *plans; i++)
    run(&plans[i]);
  for (int role = 0; role < 2; role++)
    ss_tls_context_unref(contexts[role]);
  printf("%ld passed, %ld failed\n", passed, failed);
  return failed != 0;
}
