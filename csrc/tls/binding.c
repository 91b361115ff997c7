/* binding: see binding.h. */
#include "tls/binding.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <string.h>

/* RFC 9266 section 2: 32 bytes, no context. RFC 8446's exporter is meant; in TLS 1.2 SCRAM's default is another. */
static bool exporter(SSL *ssl, ss_binding *to)
{
  static const char label[] = "EXPORTER-Channel-Binding";
  to->length = 32;
  return SSL_version(ssl) >= TLS1_3_VERSION &&
         SSL_export_keying_material(ssl, to->bytes, to->length, label, sizeof label - 1, NULL, 0, 0) == 1;
}

/* RFC 5929 section 3.1: the first Finished message of the handshake, the server's where a session was resumed. */
static bool unique(SSL *ssl, ss_binding *to)
{
  if (SSL_version(ssl) != TLS1_2_VERSION || SSL_get_extms_support(ssl) != 1) return false;
  to->length = SSL_session_reused(ssl) ? SSL_get_peer_finished(ssl, to->bytes, sizeof to->bytes)
                                       : SSL_get_finished(ssl, to->bytes, sizeof to->bytes);
  return to->length > 0 && to->length <= sizeof to->bytes;
}

/* RFC 5929 section 4.1: the hash of the certificate's signature, or SHA-256 where that is MD5 or SHA-1. One without a
 * hash of its own (Ed25519) has no binding of this type. */
static bool server_end_point(SSL *ssl, ss_binding *to)
{
  int hash;
  unsigned length = 0;
  const X509 *certificate = SSL_get0_peer_certificate(ssl);
  if (!certificate || !X509_get_signature_info((X509 *)certificate, &hash, NULL, NULL, NULL)) return false;
  if (hash == NID_md5 || hash == NID_sha1) hash = NID_sha256;
  const EVP_MD *digest = EVP_get_digestbynid(hash);
  if (!digest || EVP_MD_get_size(digest) > (int)sizeof to->bytes) return false;
  bool done = X509_digest(certificate, digest, to->bytes, &length);
  to->length = length;
  return done;
}

static const struct {
  const char *type;
  bool (*fill)(SSL *ssl, ss_binding *to);
} types[] = {
    {"tls-exporter", exporter},
    {"tls-unique", unique},
    {"tls-server-end-point", server_end_point},
};

bool ss_tls_binding_of(SSL *ssl, const char *type, ss_binding *to)
{
  bool filled = false;
  for (size_t i = 0; !filled && i < sizeof types / sizeof *types; i++) {
    if (type && strcmp(type, types[i].type)) continue;
    to->type = types[i].type;
    filled = types[i].fill(ssl, to);
  }
  ERR_clear_error();
  return filled;
}
