/* random: unguessable bytes, from OpenSSL's generator, which the operating system seeds. */
#ifndef SS_RANDOM_H
#define SS_RANDOM_H

#include <stdbool.h>
#include <stddef.h>

/* Fills n bytes at p. False when the system has none to give; p must not be used then. */
bool ss_random(void *p, size_t n);

/* Unguessable bytes drawn in advance, for those who need a few at a time, often: a draw costs the generator much the
 * same however small it is. Bytes given out are forgotten. A process that was forked draws its own: nothing that its
 * parent gives out ever comes from it too. */
typedef struct ss_random_pool ss_random_pool;

/* Most bytes of one draw. */
enum { SS_RANDOM_DRAW = 64 };

/* A new pool, which the caller frees; NULL when there is no memory for it. */
ss_random_pool *ss_random_pool_new(void);

/* Wipes and frees. NULL is fine. */
void ss_random_pool_free(ss_random_pool *pool);

/* Fills n bytes, at most SS_RANDOM_DRAW, at p. False when the system has none to give; p must not be used then. */
bool ss_random_draw(ss_random_pool *pool, void *p, size_t n);

#endif
