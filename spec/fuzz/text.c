/* text: the small parsers on any bytes: mailboxes and domains, base64, UTF-8, and what makes a peer's words printable.
 * The first byte chooses. */
#include "base/base64.h"
#include "base/printable.h"
#include "base/utf8.h"
#include "smtp/mailbox.h"

#include <stdlib.h>
#include <string.h>

#define REQUIRE(condition) ((condition) ? (void)0 : abort())

static void require_no_controls(const uint8_t *p, size_t n)
{
  REQUIRE(ss_utf8_valid(p, n) == n);
  for (size_t i = 0; i < n; i++) {
    REQUIRE(p[i] >= 0x20 && p[i] != 0x7f);
    REQUIRE(p[i] != 0xC2 || p[i + 1] >= 0xA0);
  }
}

static void domain(const uint8_t *p, size_t n)
{
  if (ss_domain_check((const char *)p, n)) return;
  REQUIRE(n > 0 && n <= 255);
  require_no_controls(p, n);
  for (size_t i = 0; i < n; i++)
    REQUIRE(p[i] < 0x80 && !strchr(" <>@,;\"\\()", p[i]));
}

static void mailbox(const uint8_t *p, size_t n)
{
  ss_mailbox box;
  if (ss_mailbox_parse((const char *)p, n, &box)) return;
  REQUIRE(n <= 254 && box.local_length >= 1 && box.local_length <= 64);
  REQUIRE(box.domain_start == box.local_length + 1 && p[box.local_length] == '@');
  REQUIRE(!ss_domain_check((const char *)p + box.domain_start, n - box.domain_start));
  require_no_controls(p, n);
  bool ascii = true;
  for (size_t i = 0; i < box.local_length; i++)
    ascii = ascii && p[i] < 0x80;
  REQUIRE(box.internationalized == !ascii);
  /* Outside quotes nothing may end the path or begin another. */
  for (size_t i = 0; p[0] != '"' && i < box.local_length; i++)
    REQUIRE(!strchr(" <>@,;:\"\\()[]", p[i]));
}

static void base64(const uint8_t *p, size_t n)
{
  ss_buf bytes, again;
  ss_buf_init(&bytes, n + 3);
  ss_buf_init(&again, 2 * n + 8);
  if (ss_base64_decode(&bytes, (const char *)p, n) == SS_OK && n) {
    size_t length = ss_base64_length(ss_buf_len(&bytes));
    char *text = (char *)ss_buf_reserve(&again, length);
    REQUIRE(length == n && ss_base64_encode(text, ss_buf_data(&bytes), ss_buf_len(&bytes)) == n);
    REQUIRE(memcmp(text, p, n) == 0); /* one text for the same bytes, not two */
  }
  ss_buf_clear(&bytes);
  ss_buf_clear(&again);
  char *text = n ? (char *)ss_buf_reserve(&again, ss_base64_length(n)) : NULL;
  if (text) {
    REQUIRE(ss_base64_encode(text, p, n) == ss_base64_length(n));
    REQUIRE(ss_base64_decode(&bytes, text, ss_base64_length(n)) == SS_OK);
    REQUIRE(ss_buf_len(&bytes) == n && memcmp(ss_buf_data(&bytes), p, n) == 0);
  }
  ss_buf_free(&bytes);
  ss_buf_free(&again);
}

static void printable(const uint8_t *p, size_t n)
{
  char shown[64];
  size_t size = 8 + n % (sizeof shown - 8), length = ss_printable(shown, size, p, n);
  REQUIRE(length < size && strlen(shown) == length);
  require_no_controls((const uint8_t *)shown, length);
}

static void utf8(const uint8_t *p, size_t n)
{
  size_t valid = ss_utf8_valid(p, n), i = 0;
  uint32_t code;
  while (i < valid) {
    size_t length = ss_utf8_decode(p + i, n - i, &code);
    REQUIRE(length >= 1 && length <= 4 && code <= 0x10FFFF && (code < 0xD800 || code > 0xDFFF));
    i += length;
  }
  REQUIRE(i == valid && (valid == n || ss_utf8_decode(p + valid, n - valid, &code) == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
  static void (*const parsers[])(const uint8_t *, size_t) = {mailbox, domain, base64, printable, utf8};
  if (n == 0) return 0;
  /* On the heap, so that a byte read too far is noticed. */
  uint8_t *copy = malloc(n > 1 ? n - 1 : 1);
  if (!copy) return 0;
  memcpy(copy, data + 1, n - 1);
  parsers[data[0] % (sizeof parsers / sizeof *parsers)](copy, n - 1);
  free(copy);
  return 0;
}
