/* multipart: see multipart.h. */
#include "mime/multipart.h"

ss_status ss_multipart_delimiter(ss_buf *to, const char *boundary, size_t n, bool last)
{
  ss_status status = ss_buf_append(to, "\r\n--", 4);
  if (status == SS_OK) status = ss_buf_append(to, boundary, n);
  if (status == SS_OK) status = ss_buf_append(to, last ? "--" : "\r\n", 2);
  return status;
}
