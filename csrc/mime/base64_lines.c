/* base64_lines: see base64_lines.h. */
#include "mime/base64_lines.h"
#include "base/base64.h"

size_t ss_base64_lines_portable(uint8_t *to, const uint8_t *from, size_t n)
{
  size_t lines = n / SS_BASE64_LINE_TAKES;
  for (size_t i = 0; i < lines; i++) {
    *to++ = '\r';
    *to++ = '\n';
    to += ss_base64_encode((char *)to, from, SS_BASE64_LINE_TAKES);
    from += SS_BASE64_LINE_TAKES;
  }
  return lines;
}

ss_base64_lines *ss_base64_lines_best(void)
{
  ss_base64_lines *avx2 = ss_base64_lines_avx2();
  return avx2 ? avx2 : ss_base64_lines_portable;
}
