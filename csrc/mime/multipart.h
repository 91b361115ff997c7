/* multipart: what stands around the parts of a message (RFC 2045 section 6.1, RFC 2046 section 5.1.1). */
#ifndef SS_MULTIPART_H
#define SS_MULTIPART_H

#include "base/buf.h"

/* Most octets of a message that is one string, and of the strings that one in several pieces is made of. */
enum { SS_MULTIPART_WHOLE = 65536 };

/* Appends the line that comes before a part, or behind the last one, whose own line end is left to whom follows. SS_OK,
 * SS_E_FULL or SS_E_MEMORY. */
ss_status ss_multipart_delimiter(ss_buf *to, const char *boundary, size_t n, bool last);

/* Appends the field that names an encoding; of 7bit nothing is said. SS_OK; SS_E_ARGUMENT where there is no such encoding,
 * SS_E_FULL or SS_E_MEMORY. */
ss_status ss_multipart_encoding(ss_buf *to, const char *encoding);

#endif
