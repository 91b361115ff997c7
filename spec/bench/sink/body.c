/* body: the octets of a message, by DATA (RFC 5321 section 4.5.2) or by BDAT (RFC 3030). Counted and not kept, but for
 * the beginning of the header. */
#include "sink.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

enum { HEAD = 8192 };

static uint32_t crc_table[256];

static void make_table(void)
{
  for (uint32_t i = 0; i < 256; i++) {
    uint32_t v = i;
    for (int k = 0; k < 8; k++)
      v = v & 1 ? 0xedb88320U ^ v >> 1 : v >> 1;
    crc_table[i] = v;
  }
}

static uint32_t crc32_add(uint32_t crc, const char *p, size_t n)
{
  if (!crc_table[1]) make_table();
  crc = ~crc;
  for (size_t i = 0; i < n; i++)
    crc = crc_table[(crc ^ (unsigned char)p[i]) & 255] ^ crc >> 8;
  return ~crc;
}

void body_begin(body *b)
{
  bytes head = b->head;
  bytes_drop(&head, bytes_count(&head));
  *b = (body){.head = head};
}

static void take(body *b, const char *p, size_t n)
{
  b->count += n;
  the_sink.counts.body_bytes += n;
  if (the_sink.settings.crc) b->crc = crc32_add(b->crc, p, n);
  size_t have = bytes_count(&b->head);
  if (the_sink.settings.journal && have < HEAD) bytes_add(&b->head, p, n < HEAD - have ? n : HEAD - have);
}

/* The rows: what was seen of CRLF . CRLF. A dot that begins a line is not part of the message. */
enum { MIDDLE, CR, START, DOT, DOT_CR, END };

static size_t run_of_text(const char *p, size_t n)
{
  const char *cr = memchr(p, '\r', n);
  return cr ? (size_t)(cr - p) : n;
}

/* Returns how many of n octets were looked at. */
static size_t take_data(body *b, const char *p, size_t n)
{
  size_t i = 0;
  while (i < n && b->dot != END) {
    if (b->dot == MIDDLE) {
      size_t run = run_of_text(p + i, n - i);
      take(b, p + i, run);
      i += run;
      if (i == n) break;
    }
    char c = p[i++];
    switch (b->dot) {
    case START:
      if (c == '.') {
        b->dot = DOT;
        continue;
      }
      break;
    case DOT:
      if (c == '\r') {
        b->dot = DOT_CR;
        continue;
      }
      break;
    case DOT_CR:
      if (c == '\n') {
        b->dot = END;
        continue;
      }
      take(b, "\r", 1);
      break;
    default: break;
    }
    b->dot = b->dot == CR && c == '\n' ? START : c == '\r' ? CR : MIDDLE;
    take(b, &c, 1);
  }
  return i;
}

void body_take(conn *c)
{
  body *b = &c->smtp.body;
  size_t n = bytes_count(&c->input);
  bool ended;
  if (b->mode == BODY_DATA) {
    n = take_data(b, bytes_at(&c->input), n);
    ended = b->dot == END;
  } else {
    if (n > b->left) n = (size_t)b->left;
    if (b->mode == BODY_BDAT) take(b, bytes_at(&c->input), n);
    b->left -= n;
    ended = b->left == 0;
  }
  bytes_drop(&c->input, n);
  if (ended) smtp_message_end(c);
}

void body_id(const body *b, char *to, size_t size)
{
  const char *p = bytes_at(&b->head), *end = p + bytes_count(&b->head);
  *to = '\0';
  while (p < end && *p != '\r') {
    const char *stop = memchr(p, '\n', (size_t)(end - p));
    if (!stop) return;
    if (stop - p > 11 && strncasecmp(p, "message-id:", 11) == 0) {
      p += 11;
      while (p < stop && isspace((unsigned char)*p))
        p++;
      size_t n = strcspn(p, "\r\n \t");
      if (n >= size) n = size - 1;
      memcpy(to, p, n);
      to[n] = '\0';
      return;
    }
    p = stop + 1;
  }
}
