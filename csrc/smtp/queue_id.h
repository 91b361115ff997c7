/* queue_id: the server's own name for a mail that it took, where the words of its reply hold one that is known. It is for
 * people who look into the server's log: nothing is decided by it. */
#ifndef SS_QUEUE_ID_H
#define SS_QUEUE_ID_H

#include <stddef.h>

/* The name in the n bytes at s, *length bytes of it; NULL where there is none. */
const char *ss_queue_id(const char *s, size_t n, size_t *length);

#endif
