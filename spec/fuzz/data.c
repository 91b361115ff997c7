/* data: a message of any bytes, handed over in any pieces: what goes out is the same whatever the pieces, holds CR and
 * LF only as CRLF, ends exactly once, and a server that goes by RFC 5321, or by RFC 3030, reads the normalised message
 * out of it. A binary one arrives as it was. */
#include "smtp/data.h"

#include <stdlib.h>
#include <string.h>

#define REQUIRE(condition) ((condition) ? (void)0 : abort())

static void encode(ss_buf *out, const uint8_t *p, size_t n, size_t most, uint32_t seed)
{
  ss_data d;
  ss_data_begin(&d, true);
  while (n) {
    seed = seed * 1664525 + 1013904223;
    size_t piece = (seed >> 8) % (most + 1), before = ss_buf_len(out);
    if (piece > n) piece = n;
    ss_status status = ss_data_write(&d, out, p, piece);
    bool nul = piece && memchr(p, '\0', piece);
    REQUIRE(status == (nul ? SS_E_ARGUMENT : SS_OK));
    REQUIRE(!nul || ss_buf_len(out) == before);
    REQUIRE(ss_buf_len(out) - before <= ss_data_bound(piece));
    p += piece;
    n -= piece;
  }
  REQUIRE(ss_data_end(&d, out) == SS_OK);
}

/* One byte of the message at a time, as simply as it can be said: what a line end becomes, and what a line is. */
static void normalize(ss_buf *out, const uint8_t *p, size_t n)
{
  uint8_t last = '\n';
  for (size_t i = 0; i < n; i++) {
    bool second = p[i] == '\n' && i && p[i - 1] == '\r';
    if (p[i] == '\r' || p[i] == '\n') {
      if (!second) ss_buf_append(out, "\r\n", 2);
    } else {
      ss_buf_append(out, p + i, 1);
    }
    last = p[i];
  }
  if (n && last != '\r' && last != '\n') ss_buf_append(out, "\r\n", 2);
}

/* Undoes it line by line, as a server does; the end must be the last line. */
static void decode(ss_buf *out, const uint8_t *p, size_t n)
{
  for (;;) {
    const uint8_t *lf = memchr(p, '\n', n);
    REQUIRE(lf && lf > p && lf[-1] == '\r');
    size_t line = (size_t)(lf - p) + 1;
    REQUIRE(!memchr(p, '\r', line - 2));
    if (line == 3 && *p == '.') {
      REQUIRE(n == line);
      return;
    }
    size_t skip = *p == '.';
    ss_buf_append(out, p + skip, line - skip);
    p += line;
    n -= line;
  }
}

static void encode_chunks(ss_buf *out, const uint8_t *p, size_t n, bool binary, uint32_t seed)
{
  enum { MOST = 7 };
  ss_data d;
  ss_data_begin(&d, false);
  d.binary = binary;
  for (bool last = false; !last;) {
    seed = seed * 1664525 + 1013904223;
    size_t piece = (seed >> 8) % (MOST + 1), before = ss_buf_len(out);
    last = piece >= n;
    if (last) piece = n;
    ss_status status = ss_data_chunk(&d, out, p, piece, last);
    bool nul = !binary && piece && memchr(p, '\0', piece);
    REQUIRE(status == (nul ? SS_E_ARGUMENT : SS_OK));
    REQUIRE(!nul || ss_buf_len(out) == before);
    p += piece;
    n -= piece;
  }
}

/* Puts the chunks together again; each is as long as it says, and none breaks a CRLF, unless they are binary. */
static void decode_chunks(ss_buf *out, const uint8_t *p, size_t n, bool binary)
{
  for (bool last = false; !last;) {
    char *end;
    const uint8_t *lf = memchr(p, '\n', n);
    REQUIRE(n > 5 && memcmp(p, "BDAT ", 5) == 0 && lf);
    size_t octets = strtoul((const char *)p + 5, &end, 10);
    last = memcmp(end, " LAST\r\n", 7) == 0;
    REQUIRE((const uint8_t *)end + (last ? 6 : 1) == lf && lf[-1] == '\r');
    n -= (size_t)(lf + 1 - p);
    p = lf + 1;
    REQUIRE(octets <= n && (binary || !octets || p[octets - 1] != '\r'));
    ss_buf_append(out, p, octets);
    p += octets;
    n -= octets;
  }
  REQUIRE(n == 0);
}

static void require_same(const ss_buf *a, const ss_buf *b)
{
  REQUIRE(ss_buf_len(a) == ss_buf_len(b));
  REQUIRE(ss_buf_len(a) == 0 || memcmp(ss_buf_data(a), ss_buf_data(b), ss_buf_len(a)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
  uint32_t seed;
  ss_buf whole, pieces, read, expected;
  if (n < sizeof seed) return 0;
  memcpy(&seed, data, sizeof seed);
  data += sizeof seed;
  n -= sizeof seed;
  ss_buf *const all[] = {&whole, &pieces, &read, &expected};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++)
    ss_buf_init(all[i], SIZE_MAX / 4);
  encode(&pieces, data, n, 7, seed);
  if (!n || !memchr(data, '\0', n)) {
    encode(&whole, data, n, n, UINT32_MAX);
    require_same(&whole, &pieces);
    decode(&read, ss_buf_data(&pieces), ss_buf_len(&pieces));
    normalize(&expected, data, n);
    require_same(&read, &expected);
  }
  ss_buf_clear(&pieces);
  ss_buf_clear(&read);
  encode_chunks(&pieces, data, n, false, seed);
  if (!n || !memchr(data, '\0', n)) {
    decode_chunks(&read, ss_buf_data(&pieces), ss_buf_len(&pieces), false);
    require_same(&read, &expected);
  }
  ss_buf_clear(&pieces);
  ss_buf_clear(&read);
  ss_buf_clear(&expected);
  encode_chunks(&pieces, data, n, true, seed);
  decode_chunks(&read, ss_buf_data(&pieces), ss_buf_len(&pieces), true);
  REQUIRE(ss_buf_append(&expected, data, n) == SS_OK);
  require_same(&read, &expected);
  for (size_t i = 0; i < sizeof all / sizeof *all; i++)
    ss_buf_free(all[i]);
  return 0;
}
