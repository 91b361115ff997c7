/* dkim: the canonical forms on any bytes. A body's is the same however the body is cut, has no blank too many, and is its
 * own canonical form; a field's likewise; whatever the header, fields are picked within it. The first byte chooses. */
#include "dkim/canon.h"

#include <stdlib.h>
#include <string.h>

#define REQUIRE(condition) ((condition) ? (void)0 : abort())

static void append(void *to, const uint8_t *p, size_t n)
{
  REQUIRE(ss_buf_append(to, p, n) == SS_OK);
}

/* The canonical form of a body that comes in pieces of `piece` bytes, the first of them of `first`. */
static void canonical(ss_buf *to, bool relaxed, const uint8_t *p, size_t n, size_t first, size_t piece)
{
  ss_dkim_body b = {.relaxed = relaxed};
  ss_buf_init(to, 2 * n + 8);
  for (size_t at = 0, size = first; at < n; at += size, size = piece) {
    if (size > n - at) size = n - at;
    uint8_t *copy = malloc(size ? size : 1); /* so that a byte read too far is noticed */
    REQUIRE(copy);
    memcpy(copy, p + at, size);
    ss_dkim_body_update(&b, copy, size, append, to);
    free(copy);
  }
  ss_dkim_body_finish(&b, append, to);
}

static void require_same(const ss_buf *a, const ss_buf *b)
{
  REQUIRE(ss_buf_len(a) == ss_buf_len(b));
  REQUIRE(ss_buf_len(a) == 0 || memcmp(ss_buf_data(a), ss_buf_data(b), ss_buf_len(a)) == 0);
}

static bool is_blank(uint8_t c)
{
  return c == ' ' || c == '\t';
}

static void require_tidy(const ss_buf *b, bool relaxed)
{
  const uint8_t *p = ss_buf_data(b);
  size_t n = ss_buf_len(b);
  if (n == 0) REQUIRE(relaxed);
  if (n == 0) return;
  REQUIRE(n >= 2 && p[n - 2] == '\r' && p[n - 1] == '\n');
  REQUIRE(n < 4 || memcmp(p + n - 4, "\r\n\r\n", 4) != 0);
  for (size_t i = 0; relaxed && i + 2 < n; i++)
    REQUIRE(p[i] != '\t' && !(is_blank(p[i]) && (is_blank(p[i + 1]) || memcmp(p + i + 1, "\r\n", 2) == 0)));
}

static void body(const uint8_t *p, size_t n, bool relaxed)
{
  ss_buf whole, other;
  canonical(&whole, relaxed, p, n, n, n);
  require_tidy(&whole, relaxed);
  size_t cuts[][2] = {{1, 1}, {n ? p[0] % n : 0, n}, {n / 2, n}, {n % 17, 16}, {3, 17}};
  for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
    canonical(&other, relaxed, p, n, cuts[i][0], cuts[i][1] ? cuts[i][1] : 1);
    require_same(&whole, &other);
    ss_buf_free(&other);
  }
  canonical(&other, relaxed, ss_buf_data(&whole), ss_buf_len(&whole), 5, 7);
  require_same(&whole, &other);
  ss_buf_free(&other);
  ss_buf_free(&whole);
}

/* Whether a name, which has no blanks, and its colon are there. */
static bool has_name(const uint8_t *p, size_t n)
{
  size_t at = 0;
  while (at < n && p[at] != ':' && p[at] > ' ')
    at++;
  return at < n && p[at] == ':';
}

static void field(const uint8_t *p, size_t n)
{
  ss_buf once, twice;
  ss_buf_init(&once, n + 3);
  ss_buf_init(&twice, n + 6);
  REQUIRE(ss_dkim_field(p, n, true, &once) == SS_OK);
  const uint8_t *s = ss_buf_data(&once);
  size_t length = ss_buf_len(&once);
  REQUIRE(length >= 3 && memcmp(s + length - 2, "\r\n", 2) == 0);
  if (has_name(p, n)) {
    REQUIRE(!memchr(s, '\n', length - 2) && !is_blank(s[length - 3]));
    REQUIRE(ss_dkim_field(s, length, true, &twice) == SS_OK);
    require_same(&once, &twice);
  }
  ss_buf_free(&once);
  ss_buf_free(&twice);
}

static void header(const uint8_t *p, size_t n, bool relaxed)
{
  static const ss_dkim_name names[] = {{"From", 4, SS_DKIM_CLOSED},
                                       {"A", 1, SS_DKIM_EVERY},
                                       {"b", 1, SS_DKIM_ONCE},
                                       {"B", 1, SS_DKIM_ONCE},
                                       {"c", 1, SS_DKIM_SEALED}};
  ss_buf fields, list;
  ss_buf_init(&fields, 2 * n + 64);
  ss_buf_init(&list, 4 * n + 64);
  ss_status status = ss_dkim_pick_fields(p, n, names, sizeof names / sizeof *names, relaxed, &fields, &list);
  REQUIRE(status == SS_OK || status == SS_E_FULL); /* a field of one byte takes more in the relaxed form */
  REQUIRE(ss_buf_len(&list) >= 4 && memcmp(ss_buf_data(&list), "From", 4) == 0);
  if (!relaxed) REQUIRE(ss_buf_len(&fields) <= n);
  ss_buf_free(&fields);
  ss_buf_free(&list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
  if (n == 0) return 0;
  uint8_t *copy = malloc(n > 1 ? n - 1 : 1);
  if (!copy) return 0;
  memcpy(copy, data + 1, n - 1);
  bool relaxed = data[0] & 1;
  switch (data[0] / 2 % 3) {
  case 0: body(copy, n - 1, relaxed); break;
  case 1: header(copy, n - 1, relaxed); break;
  default: field(copy, n - 1);
  }
  free(copy);
  return 0;
}
