/* pem: private keys in PEM, and what OpenSSL asks for the password of an encrypted block, instead of the terminal. */
#ifndef SS_PEM_H
#define SS_PEM_H

#include <stdbool.h>
#include <stddef.h>

typedef struct ss_password_prompt {
  const char *password; /* NULL where there is none to give */
  bool asked;           /* whether there was a block that needs one */
} ss_password_prompt;

/* A pem_password_cb; `prompt` is an ss_password_prompt, or NULL where nothing that is encrypted is wanted. */
int ss_password_give(char *to, int size, int writing, void *prompt);

/* The private key in n bytes of PEM, the caller's; NULL where there is none, or the password does not open it. OpenSSL's own
 * words would be about the encoding, not about what is wrong: its error queue is left empty. */
struct evp_pkey_st *ss_pem_key(const char *pem, size_t n, ss_password_prompt *prompt);

#endif
