/* key: the private key of somebody who signs. */
#ifndef SS_SMIME_KEY_H
#define SS_SMIME_KEY_H

#include "smime/certificate.h"

#include <stddef.h>

struct evp_pkey_st;

typedef struct ss_smime_secret {
  const char *pem;
  size_t length;
  const char *password; /* NULL where there is none */
} ss_smime_secret;

/* Reads the key of the first of these certificates. NULL and *e, which begins with the name of what is wrong ("key",
 * "key_password"), where it cannot be had. To be given to EVP_PKEY_free, which wipes it. Nobody is asked for anything,
 * and no error shows any of it. */
struct evp_pkey_st *ss_smime_key_read(const ss_smime_secret *secret, const ss_certificates *owner,
                                      ss_error *e);

#endif
