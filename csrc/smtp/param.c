/* param: see param.h. */
#include "smtp/param.h"

#include <inttypes.h>
#include <stdio.h>

static bool wants_size(const ss_mail_options *o)
{
  return o->size > 0;
}

static bool wants_8bit(const ss_mail_options *o)
{
  return o->body_8bit;
}

static bool wants_utf8(const ss_mail_options *o)
{
  return o->smtputf8;
}

static const struct {
  const char *keyword;
  bool (*wanted)(const ss_mail_options *);
  const char *text;    /* what is appended; NULL: the size */
  const char *missing; /* why it cannot be left out; NULL: it can */
} params[] = {
    {"SIZE", wants_size, NULL, NULL},
    {"8BITMIME", wants_8bit, " BODY=8BITMIME", "the message holds octets above 127"},
    {"SMTPUTF8", wants_utf8, " SMTPUTF8", "an address or a header of the message is not ASCII"},
};

static ss_status put_size(ss_buf *line, uint64_t size, const ss_caps *caps, ss_error *e)
{
  char text[32];
  uint64_t limit = ss_caps_size_limit(caps);
  if (limit && size > limit)
    return ss_fail(e, SS_E_UNOFFERED,
                   "the message has %" PRIu64 " bytes and the server takes at most %" PRIu64, size, limit);
  snprintf(text, sizeof text, " SIZE=%" PRIu64, size);
  return ss_buf_puts(line, text);
}

ss_status ss_mail_params(ss_buf *line, const ss_mail_options *o, const ss_caps *caps, ss_error *e)
{
  for (size_t i = 0; i < sizeof params / sizeof *params; i++) {
    if (!params[i].wanted(o)) continue;
    ss_status status = SS_OK;
    if (ss_caps_find(caps, params[i].keyword, NULL))
      status = params[i].text ? ss_buf_puts(line, params[i].text) : put_size(line, o->size, caps, e);
    else if (params[i].missing)
      status = ss_fail(e, SS_E_UNOFFERED, "%s, and the server does not offer %s", params[i].missing,
                       params[i].keyword);
    if (status != SS_OK) return status;
  }
  return SS_OK;
}
