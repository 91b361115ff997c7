/* text: the small parsers and writers on any bytes: mailboxes and domains, base64, UTF-8, what makes a peer's words
 * printable, lists of addresses, texts, header fields, the kernels of base64 and other charsets. The first byte chooses. */
#include "base/base64.h"
#include "base/printable.h"
#include "base/utf8.h"
#include "mime/address.h"
#include "mime/base64_lines.h"
#include "mime/charset.h"
#include "mime/codec.h"
#include "mime/grapheme.h"
#include "mime/header.h"
#include "mime/text.h"
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
  ss_mailbox box, read;
  const char *wrong = ss_mailbox_parse((const char *)p, n, &box);
  if (!ss_mailbox_read((const char *)p, n, &read)) {
    REQUIRE(read.idn || !wrong);
    REQUIRE(read.domain_start == read.local_length + 1 && p[read.local_length] == '@');
    require_no_controls(p, n);
  } else {
    REQUIRE(wrong);
  }
  if (wrong) return;
  REQUIRE(box.local_length == read.local_length && box.internationalized == read.internationalized &&
          !box.idn);
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
    size_t grapheme = ss_grapheme_length(p + i, valid - i);
    REQUIRE(grapheme >= length && grapheme <= valid - i && grapheme <= SS_GRAPHEME_SEEN);
    REQUIRE(ss_utf8_valid(p + i, grapheme) == grapheme);
    i += length;
  }
  REQUIRE(i == valid && (valid == n || ss_utf8_decode(p + valid, n - valid, &code) == 0));
}

/* Every mailbox and group of a list: each is inside the string, and reading always goes on. */
static void addresses(const uint8_t *p, size_t n)
{
  const char *s = (const char *)p;
  bool in_group = false;
  for (size_t at = 0; at <= n;) {
    ss_address a;
    ss_buf name;
    ss_buf_init(&name, 2 * n + 8);
    REQUIRE(ss_address_read(&a, s, n, at, in_group, &name) == SS_OK);
    REQUIRE(a.start >= at && a.start <= a.stop && a.stop <= n);
    REQUIRE(ss_buf_len(&name) <= 2 * n); /* words that touch are joined by a blank */
    ss_buf_free(&name);
    if (a.fault) {
      REQUIRE((a.fault == SS_ADDRESS_ITEM) == (a.why != NULL));
      return;
    }
    REQUIRE(a.stop <= a.next && (a.group || (a.spec >= a.start && a.spec_n <= a.stop - a.spec)));
    REQUIRE(a.next == n || strchr(in_group ? ",;" : ",:", s[a.next]));
    REQUIRE(a.group == (a.next < n && s[a.next] == ':'));
    in_group = a.group || (in_group && a.next < n && s[a.next] == ',');
    at = a.next + 1;
  }
}

/* What a text becomes in an encoding is what the codecs make of it byte by byte. */
static void encoded(const uint8_t *p, size_t n, const char *name)
{
  const ss_codec *codec = ss_codec_find(name);
  ss_buf got, mended, expected;
  uint64_t crlf[SS_CODEC_STATE / sizeof(uint64_t)] = {0}, state[SS_CODEC_STATE / sizeof(uint64_t)] = {0};
  ss_buf_init(&got, SS_CODEC_OUTPUT);
  ss_buf_init(&mended, SS_CODEC_OUTPUT);
  ss_buf_init(&expected, SS_CODEC_OUTPUT);
  REQUIRE(ss_text_write(p, n, name, &got) == SS_OK);
  for (size_t i = 0; i < n; i++)
    REQUIRE(ss_codec_crlf.update(crlf, p + i, 1, &mended) == SS_OK);
  const uint8_t *m = ss_buf_data(&mended);
  for (size_t i = 0; codec && i < ss_buf_len(&mended); i++)
    REQUIRE(codec->update(state, m + i, 1, &expected) == SS_OK);
  REQUIRE(!codec || codec->finish(state, &expected) == SS_OK);
  const ss_buf *want = codec ? &expected : &mended;
  REQUIRE(ss_buf_len(&got) == ss_buf_len(want));
  REQUIRE(ss_buf_len(&got) == 0 || memcmp(ss_buf_data(&got), ss_buf_data(want), ss_buf_len(want)) == 0);
  ss_buf_free(&got);
  ss_buf_free(&mended);
  ss_buf_free(&expected);
}

/* The scanner sees the same whatever the pieces, and knows the size of the canonical form. */
static void text(const uint8_t *p, size_t n)
{
  ss_scan whole, pieces = {0};
  ss_buf canonical;
  ss_status status = ss_text_look(p, n, &whole);
  REQUIRE(status == (memchr(p, 0, n) || ss_utf8_valid(p, n) != n ? SS_E_ARGUMENT : SS_OK));
  for (size_t i = 0; i < n; i++)
    ss_scan_update(&pieces, p + i, 1);
  REQUIRE(whole.size == n && whole.canonical == pieces.canonical && whole.longest == pieces.longest);
  REQUIRE(whole.escapes == pieces.escapes && whole.eight_bit == pieces.eight_bit && whole.nul == pieces.nul);
  REQUIRE(whole.open == pieces.open && ss_scan_fragile(&whole) == ss_scan_fragile(&pieces));
  if (status != SS_OK) return;
  ss_buf_init(&canonical, SS_CODEC_OUTPUT);
  REQUIRE(ss_text_write(p, n, "8bit", &canonical) == SS_OK && ss_buf_len(&canonical) == whole.canonical);
  ss_buf_free(&canonical);
  encoded(p, n, "8bit");
  encoded(p, n, ss_text_encoding(&whole, false));
  encoded(p, n, "base64");
}

/* What is text comes out as lines that are short where they can be, are never ended by anything but CRLF, and where
 * another line follows, it begins with a blank. */
static void header(const uint8_t *p, size_t n)
{
  size_t at, half = n / 2;
  ss_header h;
  ss_buf field;
  const char *s = (const char *)p;
  bool sound = ss_text_find_fault(p, n, &at) == SS_TEXT_SOUND;
  REQUIRE(sound || at < n);
  ss_buf_init(&field, 64 * n + 4096);
  ss_header_begin(&h, &field, "X", 1);
  ss_header_text(&h, s, n);
  ss_header_mailbox(&h, s, half, "a@b", 3, ",");
  ss_header_group(&h, s + half, n - half, ";,");
  ss_header_token(&h, "t", 1);
  ss_header_parameter(&h, "name", 4, s, n);
  ss_header_parameter(&h, "name", 4, s + half, n - half);
  REQUIRE(ss_header_end(&h) == SS_OK);
  const uint8_t *line = ss_buf_data(&field), *end = line + ss_buf_len(&field);
  while (sound && line < end) {
    const uint8_t *lf = memchr(line, '\n', (size_t)(end - line));
    REQUIRE(lf && lf > line && lf[-1] == '\r' && lf - line <= 998);
    REQUIRE(!memchr(line, '\r', (size_t)(lf - 1 - line)));
    line = lf + 1;
    REQUIRE(line == end || *line == ' ');
  }
  ss_buf_free(&field);
}

/* Every kernel makes the same lines. */
static void lines(const uint8_t *p, size_t n)
{
  ss_base64_lines *avx2 = ss_base64_lines_avx2();
  size_t size = n / SS_BASE64_LINE_TAKES * SS_BASE64_LINE_WRITES;
  uint8_t *one = malloc(size + 1), *other = malloc(size + 1);
  if (one && other && avx2) {
    size_t all = ss_base64_lines_portable(one, p, n), some = avx2(other, p, n);
    REQUIRE(all == n / SS_BASE64_LINE_TAKES && some <= all && all - some <= 1);
    REQUIRE(memcmp(one, other, some * SS_BASE64_LINE_WRITES) == 0);
  }
  free(one);
  free(other);
}

static size_t one_each(const uint8_t *p, size_t n)
{
  (void)p;
  return n;
}

/* Appends what a reader makes of these bytes by themselves. */
static void read_back(const ss_charset *c, const uint8_t *p, size_t n, ss_buf *to)
{
  char name[SS_CHARSET_NAME + 1] = {0}, *in = (char *)(uintptr_t)p;
  size_t room = 8 * n + 64, left = room;
  char *out = (char *)ss_buf_reserve(to, room);
  memcpy(name, c->name, c->name_n);
  iconv_t from = iconv_open("UTF-8", name);
  REQUIRE(out && from != (iconv_t)-1 && iconv(from, &in, &n, &out, &left) == 0 && n == 0);
  REQUIRE(iconv(from, NULL, NULL, &out, &left) == 0);
  iconv_close(from);
  ss_buf_commit(to, room - left);
}

/* A field, folded, in a charset that has all of the text. */
static void header_in(const ss_charset *c, const uint8_t *p, size_t n)
{
  ss_header h;
  ss_buf field;
  ss_buf_init(&field, 64 * n + 4096);
  ss_header_begin(&h, &field, "X", 1);
  h.charset = c;
  ss_header_text(&h, (const char *)p, n);
  ss_header_phrase(&h, (const char *)p, n);
  ss_header_parameter(&h, "name", 4, (const char *)p, n);
  REQUIRE(ss_header_end(&h) == SS_OK);
  for (size_t i = 0; i < ss_buf_len(&field); i++)
    REQUIRE(ss_buf_data(&field)[i] < 0x80);
  ss_buf_free(&field);
}

/* The first byte chooses the charset. Pieces, each read by itself, are what the whole is read as (which is not always what
 * was written: some charsets have one character where Unicode has two); where not all of the text is in the charset, they
 * end before what is not. */
static void charset(const uint8_t *p, size_t n)
{
  static const char *const names[] = {"ISO-2022-JP", "Shift_JIS", "EUC-JP", "ISO-8859-1", "GB18030"};
  ss_charset c;
  ss_charset_piece piece;
  ss_buf all, back, pieces;
  if (n < 2 || ss_utf8_valid(p + 1, n - 1) != n - 1) return;
  const char *name = names[*p++ % (sizeof names / sizeof *names)];
  size_t bad = --n, at = 0, fault;
  if (ss_charset_open(&c, name, strlen(name))) return;
  ss_buf_init(&all, 16 * n + 4096);
  ss_buf_init(&back, 256 * n + 4096);
  ss_buf_init(&pieces, 2048 * n + 4096);
  ss_status status = ss_charset_convert(&c, p, n, &all, &bad);
  REQUIRE(status == SS_OK || (status == SS_E_ARGUMENT && bad < n));
  while (at < n) {
    ss_charset_take(&c, p + at, n - at, one_each, SS_CHARSET_WIDEST + n % 60, &piece);
    REQUIRE(piece.takes <= n - at && piece.length <= SS_CHARSET_PIECE);
    if (piece.takes == 0) break;
    read_back(&c, piece.bytes, piece.length, &pieces);
    at += piece.takes;
  }
  ss_buf_clear(&all);
  REQUIRE(at == bad && ss_charset_convert(&c, p, at, &all, &bad) == SS_OK);
  if (at) read_back(&c, ss_buf_data(&all), ss_buf_len(&all), &back);
  REQUIRE(ss_buf_len(&back) == ss_buf_len(&pieces));
  REQUIRE(!ss_buf_len(&back) || memcmp(ss_buf_data(&back), ss_buf_data(&pieces), ss_buf_len(&back)) == 0);
  if (at == n && ss_text_find_fault(p, n, &fault) == SS_TEXT_SOUND) header_in(&c, p, n);
  ss_buf_free(&all);
  ss_buf_free(&back);
  ss_buf_free(&pieces);
  ss_charset_close(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
  static void (*const parsers[])(const uint8_t *, size_t) = {mailbox,   domain, base64, printable, utf8,
                                                             addresses, text,   header, lines,     charset};
  if (n == 0) return 0;
  /* On the heap, so that a byte read too far is noticed. */
  uint8_t *copy = malloc(n > 1 ? n - 1 : 1);
  if (!copy) return 0;
  memcpy(copy, data + 1, n - 1);
  parsers[data[0] % (sizeof parsers / sizeof *parsers)](copy, n - 1);
  free(copy);
  return 0;
}
