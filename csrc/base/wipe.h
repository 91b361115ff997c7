/* wipe: memory that held something secret is overwritten before it is given back, and the compiler may not drop it. */
#ifndef SS_WIPE_H
#define SS_WIPE_H

#include <stddef.h>

/* Overwrites n bytes at p. p may be NULL when n is 0. */
void ss_wipe(void *p, size_t n);

/* Overwrites n bytes at p, then frees p. p may be NULL. */
void ss_wipe_free(void *p, size_t n);

#endif
