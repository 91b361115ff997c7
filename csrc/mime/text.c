/* text: see text.h. */
#include "mime/text.h"
#include "base/utf8.h"
#include "mime/codec.h"

static bool is_control(uint8_t c)
{
  return c < ' ' || c == 0x7F;
}

/* The first C1 control, or n. */
static size_t find_c1(const uint8_t *p, size_t n)
{
  for (size_t i = 0; i + 1 < n; i++)
    if (p[i] == 0xC2 && p[i + 1] < 0xA0) return i;
  return n;
}

ss_text_fault ss_text_find_fault(const uint8_t *p, size_t n, size_t *at)
{
  size_t control = n;
  bool eight_bit = false;
  for (size_t i = 0; i < n; i++) {
    if (is_control(p[i]) && control == n) control = i;
    if (p[i] >= 0x80) eight_bit = true;
  }
  if (eight_bit && (*at = ss_utf8_valid(p, n)) < n) return SS_TEXT_NOT_UTF8;
  if ((*at = control) < n) return SS_TEXT_CONTROL;
  return eight_bit && (*at = find_c1(p, n)) < n ? SS_TEXT_C1 : SS_TEXT_SOUND;
}

ss_status ss_text_look(const uint8_t *p, size_t n, ss_scan *facts)
{
  *facts = (ss_scan){0};
  ss_scan_update(facts, p, n);
  return facts->nul || (facts->eight_bit && ss_utf8_valid(p, n) != n) ? SS_E_ARGUMENT : SS_OK;
}

static bool passes(const ss_scan *facts, bool eight_bit)
{
  return facts->longest <= SS_TEXT_LONGEST_LINE && (eight_bit || !facts->eight_bit);
}

/* About as long as the text becomes in quoted-printable: soft breaks included, to a hundredth or so. */
static double quoted_size(const ss_scan *facts)
{
  return (double)(facts->canonical + 2 * facts->escapes) * 1.03;
}

/* RFC 2045 section 6.8: 76 characters a line, and no line end after the last. */
static double base64_size(uint64_t octets)
{
  uint64_t characters = (octets + 2) / 3 * 4;
  return (double)(characters ? characters + 2 * ((characters + 75) / 76 - 1) : 0);
}

const char *ss_text_encoding(const ss_scan *facts, bool eight_bit)
{
  bool whole = !ss_scan_fragile(facts);
  if (whole && passes(facts, false)) return "7bit";
  if (whole && passes(facts, true) && eight_bit) return "8bit";
  return quoted_size(facts) <= base64_size(facts->canonical) ? "quoted-printable" : "base64";
}

ss_status ss_text_write(const uint8_t *p, size_t n, const char *encoding, ss_buf *to)
{
  const ss_codec *codec = ss_codec_find(encoding);
  ss_buf mended;
  if (!codec) return ss_codec_whole(&ss_codec_crlf, p, n, to);
  ss_buf_init(&mended, 2 * n);
  ss_status status = ss_codec_whole(&ss_codec_crlf, p, n, &mended);
  if (status == SS_OK) status = ss_codec_whole(codec, ss_buf_data(&mended), ss_buf_len(&mended), to);
  ss_buf_free(&mended);
  return status;
}
