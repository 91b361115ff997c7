/* scram_vector: one exchange of a SCRAM mechanism with a nonce that is given, as test vectors of the RFCs need it: the
 * engine's own code, but for its random numbers.
 *
 * Usage: scram_vector MECHANISM USER PASSWORD NONCE [TYPE BYTES-IN-HEX], the binding of the channel. Each line of the
 * standard input is a message of the server; each of the output is one of the client, or ends in "failed: WHY", or in
 * "done". */
#include "base/random.h"
#include "sasl/sasl.h"
#include "sasl/scram.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Instead of csrc/base/random.c: what the nonce is made of is replaced below. */
bool ss_random(void *p, size_t n)
{
  memset(p, 0, n);
  return true;
}

static ss_span span(const char *s)
{
  return (ss_span){s, strlen(s)};
}

static void unhex(ss_binding *to, const char *hex)
{
  for (unsigned byte; sscanf(hex, "%2x", &byte) == 1; hex += 2)
    to->bytes[to->length++] = (uint8_t)byte;
}

static bool step(ss_sasl *s, const char *line, const char *nonce)
{
  ss_error e = {0};
  if (ss_sasl_step(s, (const uint8_t *)line, line ? strlen(line) : 0, &e) != SS_OK) {
    printf("failed: %s\n", e.text);
    return false;
  }
  ss_scram *scram = s->exchange.state;
  size_t n = ss_buf_len(&s->response);
  if (!line) { /* the nonce stands at the end, whatever its length */
    n -= strlen(scram->nonce);
    strcpy(scram->nonce, nonce);
  }
  printf("%.*s%s\n", (int)n, n ? (const char *)ss_buf_data(&s->response) : "", line ? "" : nonce);
  if (s->exchange.done) puts("done");
  return !s->exchange.done;
}

int main(int argc, char **argv)
{
  static ss_sasl s;
  char line[4096];
  ss_error e;
  ss_binding binding = {.length = 0};
  if (argc != 5 && argc != 7) return 2;
  const ss_mechanism *m = ss_mechanism_find(argv[1]);
  const ss_credentials who = {.user = span(argv[2]), .password = span(argv[3]), .iterations = SS_ITERATIONS};
  if (argc == 7) {
    binding.type = argv[5];
    unhex(&binding, argv[6]);
  }
  ss_sasl_init(&s);
  if (!m || strlen(argv[4]) > SS_SCRAM_NONCE) return 2;
  if (ss_sasl_begin(&s, m, &who, argc == 7 ? &binding : NULL, false, &e) != SS_OK) return 2;
  bool going_on = step(&s, NULL, argv[4]);
  while (going_on && fgets(line, sizeof line, stdin)) {
    line[strcspn(line, "\n")] = '\0';
    going_on = step(&s, line, NULL);
  }
  ss_sasl_free(&s);
  return 0;
}
