/* codec: see codec.h. */
#include "mime/codec.h"

#include <string.h>

static const ss_codec *const codecs[] = {&ss_codec_base64, &ss_codec_quoted_printable, &ss_codec_crlf};

const ss_codec *ss_codec_find(const char *name)
{
  for (size_t i = 0; i < sizeof codecs / sizeof *codecs; i++)
    if (strcmp(codecs[i]->name, name) == 0) return codecs[i];
  return NULL;
}

ss_status ss_codec_room(ss_buf *to, size_t n, uint8_t **room)
{
  if (n > ss_buf_room(to)) return SS_E_FULL;
  *room = ss_buf_reserve(to, n);
  return *room ? SS_OK : SS_E_MEMORY;
}
