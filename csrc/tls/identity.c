/* identity: see identity.h. */
#include "tls/identity.h"

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

/* RFC 9525 section 6: the common name is no identity, and a wildcard is a whole label. That it covers one label only,
 * and never a top-level domain's names, is OpenSSL's own rule. */
enum { NAME_RULES = X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS };
enum { NAME_MAX_LENGTH = 253, LABEL_MAX_LENGTH = 63 };

static char lower(char c)
{
  return (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

static bool digits_only(const char *s, size_t n)
{
  for (size_t i = 0; i < n; i++)
    if (s[i] < '0' || s[i] > '9') return false;
  return true;
}

/* Labels of letters, digits, hyphens and underscores. A name that begins with a dot would mean "any host below" to
 * OpenSSL, and one that ends in a number is read as an address by some resolvers (127.1, 0x7f.1): neither passes. */
static bool host_name(const char *s, size_t n)
{
  size_t label = 0;
  if (n > NAME_MAX_LENGTH) return false;
  for (size_t i = 0; i < n; i++) {
    char c = lower(s[i]);
    if (c == '.') {
      if (i == label || i - label > LABEL_MAX_LENGTH) return false;
      label = i + 1;
    } else if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_')) {
      return false;
    }
  }
  return n > label && n - label <= LABEL_MAX_LENGTH && !digits_only(s + label, n - label);
}

/* OpenSSL's reader of addresses lets blanks, signs and leading zeros pass, and a zero in front is octal elsewhere. */
static bool address_characters(const char *s, size_t n)
{
  bool v6 = memchr(s, ':', n) != NULL;
  for (size_t i = 0; i < n; i++) {
    bool digit = s[i] >= '0' && s[i] <= '9', hex = lower(s[i]) >= 'a' && lower(s[i]) <= 'f';
    if (!digit && s[i] != '.' && !(v6 && (hex || s[i] == ':'))) return false;
    bool first = i == 0 || s[i - 1] == '.';
    if (!v6 && first && s[i] == '0' && i + 1 < n && s[i + 1] != '.') return false;
  }
  return true;
}

static bool ip_address(const char *s, size_t n)
{
  ASN1_OCTET_STRING *bytes = address_characters(s, n) ? a2i_IPADDRESS(s) : NULL;
  ASN1_OCTET_STRING_free(bytes);
  return bytes != NULL;
}

static const char *wrong_with(const ss_tls_peer *peer, size_t name_length, bool address)
{
  if (peer->pin_count > SS_TLS_PINS_MAX) return "too many pins";
  if (peer->verify == SS_TLS_PIN && peer->pin_count == 0) return "verification by pin needs a pin";
  if (name_length == 0)
    return peer->verify == SS_TLS_PKIX && !peer->optional ? "verification needs the server's name" : NULL;
  return address || host_name(peer->name, name_length)
             ? NULL
             : "the server's name is neither a host name (A-labels) nor an IP address";
}

/* One block: the struct, the pins, the two strings. */
static ss_tls_identity *copy(const ss_tls_peer *peer, size_t name_length, bool address)
{
  const char *port = peer->port ? peer->port : "";
  size_t pins = peer->pin_count * SS_TLS_PIN_SIZE, port_length = strlen(port);
  ss_tls_identity *id = malloc(sizeof *id + pins + name_length + 1 + port_length + 1);
  if (!id) return NULL;
  uint8_t *pin = (uint8_t *)(id + 1);
  char *name = (char *)pin + pins, *port_copy = name + name_length + 1;
  if (pins) memcpy(pin, peer->pins, pins);
  for (size_t i = 0; i < name_length; i++)
    name[i] = lower(peer->name[i]);
  name[name_length] = '\0';
  memcpy(port_copy, port, port_length + 1);
  *id = (ss_tls_identity){.references = 1,
                          .verify = peer->verify,
                          .optional = peer->optional,
                          .address = address,
                          .name = name,
                          .port = port_copy,
                          .pins = pin,
                          .pin_count = peer->pin_count};
  return id;
}

ss_tls_identity *ss_tls_identity_new(const ss_tls_peer *peer, ss_error *e)
{
  size_t n = peer->name ? strlen(peer->name) : 0;
  bool address = n && ip_address(peer->name, n);
  /* RFC 6066 section 3: the name goes without the root's dot, and no certificate has it either. */
  if (n > 1 && !address && peer->name[n - 1] == '.') n--;
  const char *wrong = wrong_with(peer, n, address);
  if (wrong) {
    ss_fail(e, SS_E_ARGUMENT, "TLS: %s", wrong);
    return NULL;
  }
  ss_tls_identity *id = copy(peer, n, address);
  if (!id) ss_fail(e, SS_E_MEMORY, "out of memory");
  return id;
}

ss_tls_identity *ss_tls_identity_ref(ss_tls_identity *id)
{
  id->references++;
  return id;
}

void ss_tls_identity_unref(ss_tls_identity *id)
{
  if (id && --id->references == 0) free(id);
}

bool ss_tls_identity_equal(const ss_tls_identity *a, const ss_tls_identity *b)
{
  return a == b || (a->verify == b->verify && a->optional == b->optional && a->pin_count == b->pin_count &&
                    strcmp(a->name, b->name) == 0 && strcmp(a->port, b->port) == 0 &&
                    memcmp(a->pins, b->pins, a->pin_count * SS_TLS_PIN_SIZE) == 0);
}

bool ss_tls_identity_apply(const ss_tls_identity *id, SSL *ssl)
{
  X509_VERIFY_PARAM *rules = SSL_get0_param(ssl);
  X509_VERIFY_PARAM_set_hostflags(rules, NAME_RULES);
  if (!id->name[0]) return true;
  if (id->address) return X509_VERIFY_PARAM_set1_ip_asc(rules, id->name);
  return X509_VERIFY_PARAM_set1_host(rules, id->name, 0) && SSL_set_tlsext_host_name(ssl, id->name);
}

bool ss_tls_identity_named(const ss_tls_identity *id, X509 *certificate)
{
  if (!id->name[0]) return false;
  if (id->address) return X509_check_ip_asc(certificate, id->name, NAME_RULES) == 1;
  return X509_check_host(certificate, id->name, 0, NAME_RULES, NULL) == 1;
}

bool ss_tls_pin_of(X509 *certificate, uint8_t pin[SS_TLS_PIN_SIZE])
{
  unsigned char *der = NULL;
  int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
  bool done = n > 0 && EVP_Digest(der, (size_t)n, pin, NULL, EVP_sha256(), NULL);
  OPENSSL_free(der);
  return done;
}

bool ss_tls_identity_pinned(const ss_tls_identity *id, X509 *certificate)
{
  uint8_t pin[SS_TLS_PIN_SIZE];
  if (!ss_tls_pin_of(certificate, pin)) return false;
  for (size_t i = 0; i < id->pin_count; i++)
    if (memcmp(id->pins + i * SS_TLS_PIN_SIZE, pin, SS_TLS_PIN_SIZE) == 0) return true;
  return false;
}
