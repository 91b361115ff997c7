/* param: the parameters of MAIL (RFC 5321 section 4.1.1.2), as typed options only, so that no text of a caller can become
 * one (spec/security: parameter smuggling). A new parameter is a row of the table and a field here. */
#ifndef SS_PARAM_H
#define SS_PARAM_H

#include "smtp/caps.h"

typedef struct ss_mail_options {
  uint64_t size;  /* bytes of the message, 0 where unknown (RFC 1870) */
  bool body_8bit; /* the message holds octets above 127 (RFC 6152) */
  bool smtputf8;  /* addresses or headers are not ASCII (RFC 6531) */
} ss_mail_options;

/* Appends " SIZE=…" and so on to `line`, as far as the server offers them. SS_OK; SS_E_UNOFFERED with `e` set when one
 * that cannot be left out is not offered, or the size is beyond the server's limit; SS_E_FULL or SS_E_MEMORY. */
ss_status ss_mail_params(ss_buf *line, const ss_mail_options *o, const ss_caps *caps, ss_error *e);

#endif
