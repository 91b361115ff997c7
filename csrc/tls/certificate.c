/* certificate: see certificate.h. */
#include "tls/certificate.h"
#include "base/base64.h"
#include "base/printable.h"
#include "tls/identity.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void read_subject(X509 *x509, ss_tls_certificate *c)
{
  const unsigned long utf8 = XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB;
  BIO *text = BIO_new(BIO_s_mem());
  char *from = NULL;
  if (text && X509_NAME_print_ex(text, X509_get_subject_name(x509), 0, utf8) >= 0) {
    long n = BIO_get_mem_data(text, &from);
    ss_printable(c->subject, sizeof c->subject, from, n > 0 ? (size_t)n : 0);
  }
  BIO_free(text);
}

static void read_expiry(X509 *x509, ss_tls_certificate *c)
{
  struct tm t;
  if (!ASN1_TIME_to_tm(X509_get0_notAfter(x509), &t)) return;
  strftime(c->expires, sizeof c->expires, "%Y-%m-%dT%H:%M:%SZ", &t);
}

static void read_digests(X509 *x509, ss_tls_certificate *c)
{
  unsigned char sum[EVP_MAX_MD_SIZE];
  unsigned int n = 0;
  if (X509_digest(x509, EVP_sha256(), sum, &n))
    for (unsigned int i = 0; i < n; i++)
      snprintf(c->sha256 + 2 * i, sizeof c->sha256 - 2 * i, "%02x", sum[i]);
  if (ss_tls_pin_of(x509, sum)) c->pin[ss_base64_encode(c->pin, sum, SS_TLS_PIN_SIZE)] = '\0';
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

static void read_names(X509 *x509, ss_tls_certificate *c)
{
  GENERAL_NAMES *all = X509_get_ext_d2i(x509, NID_subject_alt_name, NULL, NULL);
  size_t used = 0;
  for (int i = 0; i < sk_GENERAL_NAME_num(all); i++) {
    char name[300];
    if (!print_name(name, sizeof name, sk_GENERAL_NAME_value(all, i))) continue;
    size_t size = strlen(name) + 1;
    if (size > sizeof c->names - used) break;
    memcpy(c->names + used, name, size);
    used += size;
    c->name_count++;
  }
  GENERAL_NAMES_free(all);
}

ss_tls_certificate *ss_tls_certificate_new(X509 *x509)
{
  ss_tls_certificate *c = calloc(1, sizeof *c);
  if (!c || !X509_up_ref(x509)) {
    free(c);
    return NULL;
  }
  c->references = 1;
  c->x509 = x509;
  ERR_set_mark();
  read_subject(x509, c);
  read_expiry(x509, c);
  read_digests(x509, c);
  read_names(x509, c);
  ERR_pop_to_mark();
  return c;
}

ss_tls_certificate *ss_tls_certificate_ref(ss_tls_certificate *certificate)
{
  if (certificate) certificate->references++;
  return certificate;
}

void ss_tls_certificate_unref(ss_tls_certificate *certificate)
{
  if (!certificate || --certificate->references) return;
  X509_free(certificate->x509);
  free(certificate);
}
