/* plain: see plain.h. */
#include "mime/plain.h"
#include "mime/address.h"
#include "mime/multipart.h"
#include "mime/text.h"

#include <string.h>

/* Most octets of a buffer: of a message, and what its encoder wants to have at hand. */
enum { MOST = 2 * SS_MULTIPART_WHOLE };

void ss_plain_init(ss_plain *p)
{
  *p = (ss_plain){.shown = false};
  ss_buf_init(&p->whole, MOST);
  ss_buf_init(&p->name, MOST);
}

void ss_plain_free(ss_plain *p)
{
  ss_buf_free(&p->whole);
  ss_buf_free(&p->name);
}

void ss_plain_begin(ss_plain *p)
{
  ss_buf_clear(&p->whole);
}

bool ss_plain_fits(const ss_plain *p)
{
  return ss_buf_len(&p->whole) <= SS_MULTIPART_WHOLE;
}

bool ss_plain_put(ss_plain *p, const char *s, size_t n)
{
  return ss_buf_append(&p->whole, s, n) == SS_OK;
}

bool ss_plain_look(const char *s, size_t n)
{
  size_t at;
  return ss_text_find_fault((const uint8_t *)s, n, &at) == SS_TEXT_SOUND;
}

bool ss_plain_token(ss_plain *p, const char *field, const char *s, size_t n)
{
  ss_header h;
  ss_header_begin(&h, &p->whole, field, strlen(field));
  ss_header_token(&h, s, n);
  return ss_header_end(&h) == SS_OK;
}

bool ss_plain_field(ss_plain *p, const char *field, const char *s, size_t n)
{
  ss_header h;
  if (!ss_plain_look(s, n)) return false;
  ss_header_begin(&h, &p->whole, field, strlen(field));
  ss_header_text(&h, s, n);
  return ss_header_end(&h) == SS_OK;
}

void ss_plain_begin_people(ss_plain *p, const char *field)
{
  p->shown = field != NULL;
  if (p->shown) ss_header_begin(&p->people, &p->whole, field, strlen(field));
}

bool ss_plain_read(ss_plain *p, const char *s, size_t n, size_t *at, ss_plain_box *box)
{
  ss_address a;
  ss_buf_clear(&p->name);
  if (ss_address_read(&a, s, n, *at, false, &p->name) != SS_OK || a.fault || a.group) return false;
  *box = (ss_plain_box){.spec = s + a.spec, .n = a.spec_n, .name_n = a.angle ? ss_buf_len(&p->name) : 0};
  *at = a.next + 1;
  return box->name_n <= SS_ADDRESS_NAME;
}

void ss_plain_show(ss_plain *p, const ss_plain_box *box, bool more)
{
  const char *name = (const char *)ss_buf_data(&p->name), *after = more ? "," : "";
  if (p->shown) ss_header_mailbox(&p->people, name, box->name_n, box->spec, box->n, after);
}

bool ss_plain_end_people(ss_plain *p)
{
  return !p->shown || ss_header_end(&p->people) == SS_OK;
}

bool ss_plain_text(ss_plain *p, const ss_plain_shape *shape, const char *s, size_t n)
{
  const uint8_t *text = (const uint8_t *)s;
  ss_scan facts;
  if (n > SS_TEXT_SHORT || ss_text_look(text, n, &facts) != SS_OK) return false;
  const char *encoding = ss_text_encoding(&facts, false);
  if (strcmp(encoding, ss_text_encoding(&facts, true)) != 0) return false;
  return ss_plain_put(p, shape->before, shape->before_n) &&
         ss_multipart_encoding(&p->whole, encoding) == SS_OK &&
         ss_plain_put(p, shape->behind, shape->behind_n) &&
         ss_text_write(text, n, encoding, &p->whole) == SS_OK;
}

bool ss_plain_delimiter(ss_plain *p, const char *boundary, size_t n, bool last)
{
  return ss_multipart_delimiter(&p->whole, boundary, n, last) == SS_OK;
}

bool ss_plain_end_line(ss_plain *p)
{
  return ss_buf_data(&p->whole)[ss_buf_len(&p->whole) - 1] == '\n' || ss_plain_put(p, "\r\n", 2);
}
