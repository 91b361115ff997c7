/* codec: what every streaming encoder of body bytes looks like, and the list of them.
 *
 * A codec is fed a body in pieces of any size and appends its encoding; how the body was cut never shows in the
 * output. Each one is a file with its descriptor; its state is `state_size` zeroed bytes, so it needs no constructor,
 * owns nothing and is thrown away without a word. Dot-stuffing is not here: it is SMTP's, not the message's. */
#ifndef SS_CODEC_H
#define SS_CODEC_H

#include "base/buf.h"

typedef struct ss_codec {
  const char *name;
  size_t state_size;

  /* Appends the encoding of n more bytes, as far as it is settled: SS_OK; SS_E_ARGUMENT for a byte that this codec
   * does not take, SS_E_FULL when `to` may not hold the worst case, SS_E_MEMORY: then nothing was appended and the
   * state is as before. */
  ss_status (*update)(void *state, const uint8_t *p, size_t n, ss_buf *to);

  /* Appends what was held back: SS_OK, SS_E_FULL or SS_E_MEMORY. The state is not used again. */
  ss_status (*finish)(void *state, ss_buf *to);
} ss_codec;

/* Most bytes that one update takes, the room in `to` that is always enough for them, and the largest state. */
enum { SS_CODEC_INPUT = 1 << 20, SS_CODEC_OUTPUT = 4 << 20, SS_CODEC_STATE = 16 };

/* The codec of that name (a Content-Transfer-Encoding, or "crlf"), or NULL. */
const ss_codec *ss_codec_find(const char *name);

/* Appends the encoding of all that there is: n bytes, at most SS_CODEC_INPUT. As update, but what was appended before a
 * failure is of no use. */
ss_status ss_codec_whole(const ss_codec *codec, const uint8_t *p, size_t n, ss_buf *to);

/* Lends room for the n bytes that a step may need at most, or says why there is none. Every codec reserves once, then
 * writes without looking. */
ss_status ss_codec_room(ss_buf *to, size_t n, uint8_t **room);

extern const ss_codec ss_codec_base64;
extern const ss_codec ss_codec_quoted_printable;
extern const ss_codec ss_codec_crlf;

#endif
