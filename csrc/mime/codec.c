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

ss_status ss_codec_whole(const ss_codec *codec, const uint8_t *p, size_t n, ss_buf *to)
{
  uint64_t state[SS_CODEC_STATE / sizeof(uint64_t)] = {0};
  ss_status status = codec->update(state, p, n, to);
  return status == SS_OK ? codec->finish(state, to) : status;
}

ss_status ss_codec_room(ss_buf *to, size_t n, uint8_t **room)
{
  if (n > ss_buf_room(to)) return SS_E_FULL;
  *room = ss_buf_reserve(to, n);
  return *room ? SS_OK : SS_E_MEMORY;
}
