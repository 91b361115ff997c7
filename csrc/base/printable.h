/* printable: a peer's bytes, made fit for an error message, a log or a terminal (spec/security: log and terminal injection).
 * Line ends become spaces; controls, C1, bidirectional and invisible formatting characters and invalid UTF-8 become
 * \xNN; everything else stays as it is. */
#ifndef SS_PRINTABLE_H
#define SS_PRINTABLE_H

#include <stddef.h>

/* Writes at most size-1 bytes and a NUL to `to`; text that does not fit is cut at a character and ends in "...".
 * size is at least 8. Returns the length written. */
size_t ss_printable(char *to, size_t size, const void *from, size_t n);

#endif
