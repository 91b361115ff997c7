/* openssl_error: OpenSSL's error queue, turned into words.
 *
 * The queue belongs to the thread, and so to the program that we are a guest of: it is cleared before each call whose
 * result is read from it, and emptied afterwards. */
#ifndef SS_OPENSSL_ERROR_H
#define SS_OPENSSL_ERROR_H

#include <stddef.h>

/* Empties the queue. It mostly is empty, and to see that costs a tenth of emptying it. */
void ss_openssl_forget(void);

/* Empties the queue and writes OpenSSL's own words for the first error in it, the root of the others, to `to`; a
 * stand-in when there was none. Always printable. Returns that error's packed code, 0 when there was none. */
unsigned long ss_openssl_words(char *to, size_t size);

#endif
