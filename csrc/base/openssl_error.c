/* openssl_error: see openssl_error.h. */
#include "base/openssl_error.h"
#include "base/printable.h"

#include <openssl/err.h>
#include <string.h>

/* ERR_error_string_n writes "error:<code>:<library>:<function>:<reason>" and, unlike ERR_reason_error_string, knows
 * the system's errors and those that have no text. */
static const char *reason_in(const char *line)
{
  for (int colons = 0; colons < 4; colons++) {
    const char *colon = strchr(line, ':');
    if (!colon) break;
    line = colon + 1;
  }
  return line;
}

void ss_openssl_forget(void)
{
  if (ERR_peek_error()) ERR_clear_error();
}

unsigned long ss_openssl_words(char *to, size_t size)
{
  unsigned long code = ERR_get_error();
  char line[256] = "no reason given";
  if (code) ERR_error_string_n(code, line, sizeof line);
  const char *reason = code ? reason_in(line) : line;
  ss_printable(to, size, reason, strlen(reason));
  ERR_clear_error();
  return code;
}
