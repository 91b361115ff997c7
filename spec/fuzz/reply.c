/* reply: the reader of replies on any bytes, cut anywhere. Whatever the cuts, the same replies and the same end must
 * come out, and what comes out must be what csrc/smtp/reply.h promises. */
#include "smtp/caps.h"
#include "smtp/reply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REQUIRE(condition) ((condition) ? (void)0 : abort())

/* What was read: each reply as code, enhanced code and text, then how it ended. */
typedef struct {
  ss_buf log;
  ss_status end;
  char reason[SS_ERROR_REASON];
} outcome;

static void check_capabilities(const ss_reply *reply)
{
  ss_caps caps;
  ss_keyword k;
  size_t seen = 0, n;
  ss_caps_init(&caps);
  REQUIRE(ss_caps_learn(&caps, reply->text, reply->length, true) == SS_OK);
  for (size_t position = 0; ss_caps_next(&caps, &position, &k); seen++) {
    REQUIRE(k.name_length > 0 && !memchr(k.name, ' ', k.name_length));
    REQUIRE(!memchr(k.params, '\n', k.params_length));
    REQUIRE(seen < SS_REPLY_LINES);
  }
  ss_caps_server(&caps, &n);
  REQUIRE(n <= reply->length);
  ss_caps_offers(&caps, "AUTH", "PLAIN");
  unsigned limit = 1;
  ss_caps_limit(&caps, "RCPTMAX", &limit);
  REQUIRE(limit >= 1 && limit <= 999999);
  ss_caps_free(&caps);
}

static void check_reply(const ss_reply *reply)
{
  size_t enhanced = strlen(reply->enhanced);
  REQUIRE(reply->code >= 200 && reply->code <= 559 && reply->code / 10 % 10 <= 5);
  REQUIRE(reply->length <= SS_REPLY_TOTAL);
  REQUIRE(!memchr(reply->text, '\0', reply->length) && !memchr(reply->text, '\r', reply->length));
  REQUIRE(enhanced == 0 || (enhanced >= 5 && enhanced <= 9 && reply->enhanced[0] == '0' + reply->code / 100));
  check_capabilities(reply);
}

static void write_down(outcome *o, const ss_reply *reply)
{
  char head[32];
  int n = snprintf(head, sizeof head, "%d[%s]", reply->code, reply->enhanced);
  REQUIRE(ss_buf_append(&o->log, head, (size_t)n) == SS_OK);
  REQUIRE(ss_buf_append(&o->log, reply->text, reply->length) == SS_OK);
  REQUIRE(ss_buf_append(&o->log, "\r", 1) == SS_OK);
}

/* Reads what is there. False once the stream cannot be trusted any further. */
static bool read_some(ss_reply_reader *reader, ss_buf *in, outcome *o)
{
  ss_reply reply;
  ss_error e = {0};
  while ((o->end = ss_reply_read(reader, in, &reply, &e)) == SS_OK) {
    check_reply(&reply);
    write_down(o, &reply);
  }
  if (o->end == SS_AGAIN) return true;
  REQUIRE(o->end == SS_E_PROTOCOL || o->end == SS_E_LIMIT);
  REQUIRE(e.status == o->end && e.text[0]);
  for (const char *p = e.text; *p; p++)
    REQUIRE((unsigned char)*p >= 0x20 && *p != 0x7f);
  memcpy(o->reason, e.reason, sizeof o->reason);
  return false;
}

/* Reads all bytes in pieces of 1 to `most` bytes, by the random numbers that `seed` begins. */
static outcome read_in_pieces(const uint8_t *p, size_t n, size_t most, uint32_t seed)
{
  outcome o = {.end = SS_AGAIN};
  ss_reply_reader reader;
  ss_buf in;
  ss_buf_init(&o.log, SIZE_MAX / 4);
  ss_buf_init(&in, SIZE_MAX / 4);
  ss_reply_reader_init(&reader);
  for (bool go = true; go && n;) {
    seed = seed * 1664525 + 1013904223;
    size_t piece = 1 + (seed >> 8) % most;
    if (piece > n) piece = n;
    REQUIRE(ss_buf_append(&in, p, piece) == SS_OK);
    p += piece;
    n -= piece;
    go = read_some(&reader, &in, &o);
  }
  ss_reply_reader_free(&reader);
  ss_buf_free(&in);
  return o;
}

static void require_same(const outcome *a, const outcome *b)
{
  REQUIRE(a->end == b->end && strcmp(a->reason, b->reason) == 0);
  REQUIRE(ss_buf_len(&a->log) == ss_buf_len(&b->log));
  REQUIRE(ss_buf_len(&a->log) == 0 ||
          memcmp(ss_buf_data(&a->log), ss_buf_data(&b->log), ss_buf_len(&a->log)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
  uint32_t seed;
  if (n < sizeof seed) return 0;
  memcpy(&seed, data, sizeof seed);
  data += sizeof seed;
  n -= sizeof seed;
  outcome whole = read_in_pieces(data, n, 1, 0), pieces = read_in_pieces(data, n, 64, seed),
          halves = read_in_pieces(data, n, n + 1, seed);
  require_same(&whole, &pieces);
  require_same(&whole, &halves);
  ss_buf_free(&whole.log);
  ss_buf_free(&pieces.log);
  ss_buf_free(&halves.log);
  return 0;
}
