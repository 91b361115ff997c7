/* multipart: see multipart.h. */
#include "mime/multipart.h"

#include <string.h>

ss_status ss_multipart_delimiter(ss_buf *to, const char *boundary, size_t n, bool last)
{
  ss_status status = ss_buf_append(to, "\r\n--", 4);
  if (status == SS_OK) status = ss_buf_append(to, boundary, n);
  if (status == SS_OK) status = ss_buf_append(to, last ? "--" : "\r\n", 2);
  return status;
}

static bool is_known(const char *encoding)
{
  static const char *const known[] = {"8bit", "binary", "quoted-printable", "base64"};
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    if (strcmp(encoding, known[i]) == 0) return true;
  return false;
}

ss_status ss_multipart_encoding(ss_buf *to, const char *encoding)
{
  if (strcmp(encoding, "7bit") == 0) return SS_OK;
  if (!is_known(encoding)) return SS_E_ARGUMENT;
  ss_status status = ss_buf_puts(to, "Content-Transfer-Encoding: ");
  if (status == SS_OK) status = ss_buf_puts(to, encoding);
  if (status == SS_OK) status = ss_buf_puts(to, "\r\n");
  return status;
}
