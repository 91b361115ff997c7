/* trouble: see trouble.h. */
#include "sock/trouble.h"

#include <stdarg.h>
#include <stdio.h>

ss_why ss_trouble_set(ss_trouble *t, ss_why why, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  vsnprintf(t->text, sizeof t->text, format, args);
  va_end(args);
  t->why = why;
  return why;
}

const char *ss_why_name(ss_why why)
{
  static const char *const names[] = {
      [SS_WHY_NONE] = "none",       [SS_WHY_AGAIN] = "again",     [SS_WHY_DNS] = "dns",
      [SS_WHY_CONNECT] = "connect", [SS_WHY_TIMEOUT] = "timeout", [SS_WHY_CLOSED] = "closed",
      [SS_WHY_ERROR] = "error",
  };
  return names[why];
}
