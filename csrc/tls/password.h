/* password: what OpenSSL asks for the password of an encrypted PEM block, instead of the terminal. */
#ifndef SS_TLS_PASSWORD_H
#define SS_TLS_PASSWORD_H

#include <stdbool.h>

typedef struct ss_password_prompt {
  const char *password; /* NULL where there is none to give */
  bool asked;           /* whether there was a block that needs one */
} ss_password_prompt;

/* A pem_password_cb; `prompt` is an ss_password_prompt, or NULL where nothing that is encrypted is wanted. */
int ss_password_give(char *to, int size, int writing, void *prompt);

#endif
