/* facts: see facts.h. */
#include "tls/facts.h"
#include "base/base64.h"
#include "base/printable.h"
#include "tls/identity.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

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

static void read_subject(X509 *certificate, ss_tls_facts *f)
{
  const unsigned long utf8 = XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB;
  BIO *text = BIO_new(BIO_s_mem());
  char *from = NULL;
  if (text && X509_NAME_print_ex(text, X509_get_subject_name(certificate), 0, utf8) >= 0) {
    long n = BIO_get_mem_data(text, &from);
    ss_printable(f->subject, sizeof f->subject, from, n > 0 ? (size_t)n : 0);
  }
  BIO_free(text);
}

static void read_expiry(X509 *certificate, ss_tls_facts *f)
{
  struct tm t;
  if (!ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &t)) return;
  strftime(f->expires, sizeof f->expires, "%Y-%m-%dT%H:%M:%SZ", &t);
}

static void read_digests(X509 *certificate, ss_tls_facts *f)
{
  unsigned char sum[EVP_MAX_MD_SIZE];
  unsigned int n = 0;
  if (X509_digest(certificate, EVP_sha256(), sum, &n))
    for (unsigned int i = 0; i < n; i++)
      snprintf(f->sha256 + 2 * i, sizeof f->sha256 - 2 * i, "%02x", sum[i]);
  if (ss_tls_pin_of(certificate, sum)) f->pin[ss_base64_encode(f->pin, sum, SS_TLS_PIN_SIZE)] = '\0';
}

/* An IPv6 address is written in full, without "::". */
static void print_address(char *to, size_t size, const unsigned char *p, int n)
{
  size_t used = 0;
  if (n == 4) snprintf(to, size, "%d.%d.%d.%d", p[0], p[1], p[2], p[3]);
  for (int i = 0; n == 16 && i < n; i += 2)
    used += (size_t)snprintf(to + used, size - used, i ? ":%x" : "%x", (unsigned)(p[i] << 8 | p[i + 1]));
}

/* False for a kind of name that says nothing about hosts. */
static bool print_name(char *to, size_t size, const GENERAL_NAME *name)
{
  int type;
  const ASN1_STRING *value = GENERAL_NAME_get0_value(name, &type);
  const unsigned char *bytes = type == GEN_DNS || type == GEN_IPADD ? ASN1_STRING_get0_data(value) : NULL;
  to[0] = '\0';
  if (type == GEN_DNS) ss_printable(to, size, bytes, (size_t)ASN1_STRING_length(value));
  if (type == GEN_IPADD) print_address(to, size, bytes, ASN1_STRING_length(value));
  return to[0] != '\0';
}

static void read_names(X509 *certificate, ss_tls_facts *f)
{
  GENERAL_NAMES *all = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
  size_t used = 0;
  for (int i = 0; i < sk_GENERAL_NAME_num(all); i++) {
    char name[300];
    if (!print_name(name, sizeof name, sk_GENERAL_NAME_value(all, i))) continue;
    size_t size = strlen(name) + 1;
    if (size > sizeof f->names - used) break;
    memcpy(f->names + used, name, size);
    used += size;
    f->name_count++;
  }
  GENERAL_NAMES_free(all);
}

void ss_tls_facts_read(const SSL *connection, X509 *certificate, ss_tls_facts *f)
{
  SSL *ssl = (SSL *)connection; /* OpenSSL's readers take no const */
  ERR_set_mark();
  if (SSL_get_current_cipher(ssl)) read_protocol(ssl, f);
  f->resumed = SSL_session_reused(ssl);
  f->has_peer = certificate != NULL;
  if (certificate) {
    read_subject(certificate, f);
    read_expiry(certificate, f);
    read_digests(certificate, f);
    read_names(certificate, f);
  }
  ERR_pop_to_mark();
}
