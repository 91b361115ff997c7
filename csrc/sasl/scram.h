/* scram: SCRAM (RFC 5802, RFC 7677), the machine that all its hashes share. A mechanism is a file with a hash and two
 * descriptors: the plain one, and the one that binds to the channel.
 *
 * It is checked to the end: the exchange is done once the server has shown that it knows the password too, or what was
 * made of it. */
#ifndef SS_SCRAM_H
#define SS_SCRAM_H

#include "sasl/mechanism.h"

#include <openssl/evp.h>

/* Random bytes of the client's nonce, and their base64. */
enum { SS_SCRAM_RANDOM = 18, SS_SCRAM_NONCE = 24 };

/* Longest hash in base64. */
enum { SS_SCRAM_SIGNATURE = (EVP_MAX_MD_SIZE + 2) / 3 * 4 };

/* What is remembered between challenges, in ss_exchange.state. */
typedef struct ss_scram {
  char nonce[SS_SCRAM_NONCE + 1];
  unsigned char signature[EVP_MAX_MD_SIZE]; /* that the server must show, as long as the hash */
} ss_scram;

/* The step of a mechanism with this hash. */
ss_status ss_scram_step(ss_exchange *x, const EVP_MD *hash, const uint8_t *challenge, size_t n, ss_error *e);

/* A descriptor; `step_of` calls ss_scram_step. */
#define SS_SCRAM(name_of, binds_of, step_of)                                                                 \
  {                                                                                                          \
    .name = (name_of), .needs = SS_NEEDS_USER | SS_NEEDS_PASSWORD, .client_first = true,                     \
    .binds = (binds_of), .prepares = true, .challenges = 2, .step = (step_of)                                \
  }

#endif
