/* sasl: every mechanism, and a server that says anything.
 *
 * The input is a mechanism, what the channel has, and then the server's challenges, a line each. In a challenge, byte 1
 * stands for the client's nonce and byte 2 for the signature that the server must show, which it could not guess: so
 * SCRAM is seen to its end. Whatever is said, the exchange ends as csrc/sasl/sasl.h promises, it is never done for a
 * server that has not proved itself, and no secret is shown. */
#include "base/base64.h"
#include "sasl/sasl.h"
#include "sasl/scram.h"

#include <stdlib.h>
#include <string.h>

#define REQUIRE(condition) ((condition) ? (void)0 : abort())

#define PASSWORD "correct-horse-battery"

enum { ITERATIONS = 4100, NONCE = 1, SIGNATURE = 2 };

static bool is_scram(const ss_sasl *s)
{
  return strncmp(s->name, "SCRAM-", 6) == 0;
}

static bool holds(const void *where, size_t n, const char *what, size_t length)
{
  return n && length && memmem(where, n, what, length) != NULL;
}

/* Base64 of the signature that SCRAM waits for. */
static size_t signature_of(const ss_sasl *s, char to[SS_SCRAM_SIGNATURE])
{
  const ss_scram *scram = s->exchange.state;
  size_t size = strstr(s->name, "-512") ? 64 : strstr(s->name, "-256") ? 32 : 20;
  return ss_base64_encode(to, scram->signature, size);
}

/* A line of the input as the challenge that it stands for. */
static ss_buf challenge_of(const ss_sasl *s, const uint8_t *line, size_t n)
{
  char signature[SS_SCRAM_SIGNATURE];
  const ss_scram *scram = s->exchange.state;
  ss_buf to;
  ss_buf_init(&to, SS_SASL_BYTES);
  for (size_t i = 0; i < n; i++) {
    if (line[i] == NONCE && is_scram(s))
      ss_buf_append(&to, scram->nonce, strlen(scram->nonce));
    else if (line[i] == SIGNATURE && is_scram(s))
      ss_buf_append(&to, signature, signature_of(s, signature));
    else
      ss_buf_append(&to, &line[i], 1);
  }
  return to;
}

static void check_failure(ss_status status, const ss_error *e)
{
  REQUIRE(status == SS_E_AUTH && e->status == status && e->text[0]);
  REQUIRE(!holds(e->text, strlen(e->text), PASSWORD, strlen(PASSWORD)));
  for (const char *p = e->text; *p; p++)
    REQUIRE((unsigned char)*p >= 0x20 && *p != 0x7f);
}

static void check_response(const ss_sasl *s)
{
  const ss_exchange *x = &s->exchange;
  size_t n = ss_buf_len(&s->response);
  REQUIRE(x->round <= x->mechanism->challenges);
  if (is_scram(s)) REQUIRE(!holds(ss_buf_data(&s->response), n, PASSWORD, strlen(PASSWORD)));
}

/* Gives one challenge (NULL: the exchange begins). False at the end. */
static bool step(ss_sasl *s, const ss_buf *challenge)
{
  ss_error e = {0};
  char proof[2 + SS_SCRAM_SIGNATURE] = "v=";
  size_t n = is_scram(s) && challenge ? 2 + signature_of(s, proof + 2) : 0;
  bool before = s->exchange.done;
  size_t length = challenge ? ss_buf_len(challenge) : 0;
  const uint8_t *bytes = !challenge ? NULL : length ? ss_buf_data(challenge) : (const uint8_t *)"";
  ss_status status = ss_sasl_step(s, bytes, length, &e);
  REQUIRE(ss_buf_len(&s->complaint) <= s->complaint.cap);
  if (status != SS_OK) {
    check_failure(status, &e);
    return false;
  }
  REQUIRE(!before || !s->exchange.done); /* a complaint takes it back */
  check_response(s);
  if (is_scram(s) && s->exchange.done) REQUIRE(length >= n && memcmp(bytes, proof, n) == 0);
  return true;
}

static bool begin(ss_sasl *s, uint8_t choice, uint8_t flags)
{
  static const char *const users[] = {"user", "=,=,", "\303\274nal", "n=a,r=b"};
  static const char *const types[] = {"tls-exporter", "tls-unique", "tls-server-end-point"};
  size_t count = 0;
  ss_error e;
  while (ss_mechanisms[count])
    count++;
  const char *user = users[flags & 3];
  const ss_mechanism *m = ss_mechanisms[choice % count];
  ss_binding binding = {.type = types[(flags >> 2) % 3], .length = flags % (SS_BINDING_BYTES + 1)};
  const ss_credentials who = {.user = {user, strlen(user)},
                              .password = {PASSWORD, strlen(PASSWORD)},
                              .token = {PASSWORD, strlen(PASSWORD)},
                              .host = {"mail.test", 9},
                              .port = 587,
                              .iterations = ITERATIONS};
  ss_sasl_init(s);
  bool bound = flags & 16;
  ss_status status = ss_sasl_begin(s, m, &who, bound ? &binding : NULL, flags & 32, &e);
  REQUIRE(status == SS_OK || (status == SS_E_ARGUMENT && m->binds && !bound));
  return status == SS_OK;
}

/* Nothing is left of what was given. */
static void check_wiped(const ss_sasl *s)
{
  static const unsigned char nothing[SS_MECHANISM_STATE];
  REQUIRE(memcmp(s->state, nothing, sizeof s->state) == 0 && s->binding.length == 0);
  REQUIRE(ss_buf_len(&s->password) == 0 && ss_buf_len(&s->response) == 0 && ss_buf_len(&s->user) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
  static ss_sasl s;
  if (n < 2) return 0;
  bool going_on = begin(&s, data[0], data[1]);
  if (going_on && s.exchange.mechanism->client_first) going_on = step(&s, NULL);
  data += 2;
  n -= 2;
  if (holds(data, n, PASSWORD, strlen(PASSWORD))) going_on = false; /* it was said already */
  while (going_on && n) {
    const uint8_t *lf = memchr(data, '\n', n);
    size_t line = lf ? (size_t)(lf - data) : n;
    ss_buf challenge = challenge_of(&s, data, line);
    going_on = step(&s, &challenge);
    ss_buf_free(&challenge);
    n -= lf ? line + 1 : line;
    data += lf ? line + 1 : line;
  }
  ss_sasl_end(&s);
  check_wiped(&s);
  ss_sasl_free(&s);
  return 0;
}
