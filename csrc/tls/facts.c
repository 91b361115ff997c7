/* facts: see facts.h. */
#include "tls/facts.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>

/* The empty string where OpenSSL has no name for it. */
static void put(char *to, size_t size, const char *from)
{
  snprintf(to, size, "%s", from ? from : "");
}

static void read_protocol(SSL *ssl, ss_tls_facts *f)
{
  int group = (int)SSL_get_negotiated_group(ssl);
  put(f->version, sizeof f->version, SSL_get_version(ssl));
  put(f->cipher, sizeof f->cipher, SSL_get_cipher_name(ssl));
  put(f->group, sizeof f->group, group ? SSL_group_to_name(ssl, group) : NULL);
}

void ss_tls_facts_read(const SSL *connection, ss_tls_facts *f)
{
  SSL *ssl = (SSL *)connection; /* OpenSSL's readers take no const */
  ERR_set_mark();
  if (SSL_get_current_cipher(ssl)) read_protocol(ssl, f);
  f->resumed = SSL_session_reused(ssl);
  ERR_pop_to_mark();
}
