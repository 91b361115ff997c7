/* status: see status.h. */
#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>

ss_status ss_fail(ss_error *e, ss_status status, const char *format, ...)
{
  if (e) {
    va_list args;
    va_start(args, format);
    vsnprintf(e->text, sizeof e->text, format, args);
    va_end(args);
    e->reason[0] = '\0';
    e->status = status;
  }
  return status;
}

const char *ss_status_name(ss_status status)
{
  switch (status) {
  case SS_OK: return "ok";
  case SS_AGAIN: return "again";
  case SS_E_ARGUMENT: return "argument";
  case SS_E_STATE: return "state";
  case SS_E_POLICY: return "policy";
  case SS_E_UNOFFERED: return "unoffered";
  case SS_E_FULL: return "full";
  case SS_E_PROTOCOL: return "protocol";
  case SS_E_LIMIT: return "limit";
  case SS_E_TLS: return "tls";
  case SS_E_AUTH: return "auth";
  case SS_E_CLOSED: return "closed";
  case SS_E_MEMORY: return "memory";
  case SS_E_INTERNAL: return "internal";
  }
  return "internal";
}
