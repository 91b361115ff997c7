/* signature: see signature.h. */
#include "dkim/signature.h"
#include "base/base64.h"

#include <string.h>

/* Characters of base64 in a line behind " b=", and in those that follow it behind " ". */
enum { LINE = 78, FIRST = LINE - 3, NEXT = LINE - 1 };

/* Everything up to the value of b=, and into `canonical` the fields that are signed. */
static ss_status begin(const ss_dkim_work *work, ss_buf *field, ss_buf *canonical)
{
  ss_status status = ss_buf_append(field, work->tags, work->tags_n);
  if (status == SS_OK) status = ss_buf_puts(field, " h=");
  if (status == SS_OK)
    status = ss_dkim_pick_fields(work->header, work->header_n, work->names, work->count, work->relaxed,
                                 canonical, field);
  if (status == SS_OK) status = ss_buf_puts(field, ";\r\n bh=");
  if (status == SS_OK) status = ss_base64_append(field, work->digest, SS_DKIM_DIGEST);
  return status == SS_OK ? ss_buf_puts(field, ";\r\n b=") : status;
}

/* The field itself comes last, with b= empty and without its line end (section 3.7). */
static ss_status add_itself(const ss_buf *field, bool relaxed, ss_buf *canonical)
{
  ss_status status = ss_dkim_field(ss_buf_data(field), ss_buf_len(field), relaxed, canonical);
  if (status == SS_OK && relaxed) ss_buf_cut(canonical, ss_buf_len(canonical) - 2);
  return status;
}

static ss_status finish(const uint8_t *signature, size_t n, ss_buf *field)
{
  char text[(SS_DKIM_SIGNATURE + 2) / 3 * 4];
  size_t length = ss_base64_encode(text, signature, n), at = 0, line = FIRST;
  ss_status status = SS_OK;
  while (status == SS_OK && at < length) {
    size_t piece = length - at < line ? length - at : line;
    if (at) status = ss_buf_append(field, "\r\n ", 3);
    if (status == SS_OK) status = ss_buf_append(field, text + at, piece);
    at += piece;
    line = NEXT;
  }
  return status == SS_OK ? ss_buf_append(field, "\r\n", 2) : status;
}

ss_status ss_dkim_signature(const ss_dkim_work *work, ss_buf *field, ss_buf *canonical, ss_error *e)
{
  uint8_t signature[SS_DKIM_SIGNATURE];
  size_t n = 0;
  ss_status status = begin(work, field, canonical);
  if (status == SS_OK) status = add_itself(field, work->relaxed, canonical);
  if (status != SS_OK) return ss_fail(e, status, "there is no room for a signature");
  status = ss_dkim_key_sign(work->key, ss_buf_data(canonical), ss_buf_len(canonical), signature, &n, e);
  if (status != SS_OK) return status;
  status = finish(signature, n, field);
  return status == SS_OK ? SS_OK : ss_fail(e, status, "there is no room for a signature");
}
