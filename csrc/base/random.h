/* random: unguessable bytes, from OpenSSL's generator, which the operating system seeds. */
#ifndef SS_RANDOM_H
#define SS_RANDOM_H

#include <stdbool.h>
#include <stddef.h>

/* Fills n bytes at p. False when the system has none to give; p must not be used then. */
bool ss_random(void *p, size_t n);

#endif
