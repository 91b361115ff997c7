/* context: see context.h. */
#include "tls/context.h"
#include "base/openssl_error.h"
#include "base/pem.h"
#include "tls/trust.h"
#include "tls/watch.h"
#include "tls/wire.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

struct ss_tls_context {
  size_t references;
  ss_tls_role role;
  SSL_CTX *ssl;
  BIO_METHOD *wire;
};

/* RFC 9325 section 4.2: forward secrecy and authenticated encryption. */
static const char default_ciphers[] = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
                                      "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
                                      "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
static const char default_ciphersuites[] =
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";

/* Taken out of every list, the caller's too: no forward secrecy (RFC 9325 section 4.1), no certificate, no cipher. */
static const char never[] = ":!kRSA:!PSK:!SRP:!aNULL:!eNULL";

enum { SECURITY_LEVEL = 2, CHAIN_DEPTH = 10, CHAIN_BYTES = 100 * 1024 };

static ss_status wrong(ss_error *e, const char *key, const char *value)
{
  char words[SS_ERROR_REASON];
  ss_openssl_words(words, sizeof words);
  return ss_fail(e, SS_E_ARGUMENT, "%s \"%s\": %s", key, value, words);
}

/* OpenSSL's number of a version, `otherwise` where none is named, -1 for one unknown or too old (RFC 8996). */
static int version_number(const char *name, int otherwise)
{
  if (!name) return otherwise;
  if (strcmp(name, "TLSv1.2") == 0) return TLS1_2_VERSION;
  return strcmp(name, "TLSv1.3") == 0 ? TLS1_3_VERSION : -1;
}

static ss_status set_versions(SSL_CTX *ctx, const ss_tls_settings *s, ss_error *e)
{
  int lowest = version_number(s->min_version, TLS1_2_VERSION),
      highest = version_number(s->max_version, TLS1_3_VERSION);
  bool min = lowest < 0;
  if (min || highest < 0)
    return ss_fail(e, SS_E_ARGUMENT, "%s \"%.20s\": must be \"TLSv1.2\" or \"TLSv1.3\"",
                   min ? "min_version" : "max_version", min ? s->min_version : s->max_version);
  if (lowest > highest)
    return ss_fail(e, SS_E_ARGUMENT, "max_version \"%s\": is below min_version \"%s\"", s->max_version,
                   s->min_version);
  /* 0: whatever OpenSSL will have at the top one day */
  if (SSL_CTX_set_min_proto_version(ctx, lowest) &&
      SSL_CTX_set_max_proto_version(ctx, s->max_version ? highest : 0))
    return SS_OK;
  return wrong(e, "min_version", s->min_version ? s->min_version : "TLSv1.2");
}

/* SSL_CTX_new applies the host's openssl.cnf: everything that it can set is set again from here on. Its groups and
 * signature algorithms may stand: the security level refuses the weak ones. Legacy renegotiation, compression and an
 * ignored truncation are options too: those not named are off. */
static void set_protocol(SSL_CTX *ctx)
{
  SSL_CTX_clear_options(ctx, SSL_CTX_get_options(ctx));
  SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_ENABLE_MIDDLEBOX_COMPAT);
  SSL_CTX_set_mode(ctx, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_max_cert_list(ctx, CHAIN_BYTES);
  SSL_CTX_set_security_level(ctx, SECURITY_LEVEL);
}

/* A list may raise the security level ("@SECLEVEL=3"), never lower it. */
static ss_status set_cipher_list(SSL_CTX *ctx, const char *list, ss_error *e)
{
  size_t n = strlen(list), size = n + sizeof never;
  char *whole = malloc(size);
  if (!whole) return ss_fail(e, SS_E_MEMORY, "out of memory");
  memcpy(whole, list, n);
  memcpy(whole + n, never, sizeof never);
  ERR_clear_error();
  bool set = SSL_CTX_set_cipher_list(ctx, whole);
  free(whole);
  if (!set) return wrong(e, "ciphers", list);
  if (SSL_CTX_get_security_level(ctx) >= SECURITY_LEVEL) return SS_OK;
  return ss_fail(e, SS_E_ARGUMENT, "ciphers \"%.100s\": a security level below %d is refused", list,
                 SECURITY_LEVEL);
}

static ss_status set_algorithms(SSL_CTX *ctx, const ss_tls_settings *s, ss_error *e)
{
  const char *suites = s->ciphersuites ? s->ciphersuites : default_ciphersuites;
  ss_status status = set_cipher_list(ctx, s->ciphers ? s->ciphers : default_ciphers, e);
  if (status != SS_OK) return status;
  if (!SSL_CTX_set_ciphersuites(ctx, suites)) return wrong(e, "ciphersuites", suites);
  if (s->groups && !SSL_CTX_set1_groups_list(ctx, s->groups)) return wrong(e, "groups", s->groups);
  return SS_OK;
}

static ss_status load_trust(X509_STORE *store, const ss_tls_settings *s, ss_error *e)
{
  const ss_tls_trust trust = {s->ca_file, s->ca_path, s->crl_file};
  if (s->ca_file || s->ca_path || s->role == SS_TLS_SERVER) return ss_tls_trust_load(store, &trust, e);
  return ss_tls_trust_load_system(store, s->crl_file, e);
}

static ss_status set_verification(SSL_CTX *ctx, const ss_tls_settings *s, ss_error *e)
{
  X509_VERIFY_PARAM *rules = SSL_CTX_get0_param(ctx);
  bool client = s->role == SS_TLS_CLIENT;
  X509_VERIFY_PARAM_set_flags(rules, X509_V_FLAG_X509_STRICT);
  X509_VERIFY_PARAM_set_purpose(rules, client ? X509_PURPOSE_SSL_SERVER : X509_PURPOSE_SSL_CLIENT);
  X509_VERIFY_PARAM_set_depth(rules, CHAIN_DEPTH);
  ss_tls_watch_install(ctx, client && s->require_ocsp);
  bool demand = client || s->ca_file || s->ca_path;
  SSL_CTX_set_verify(ctx, demand ? SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT : SSL_VERIFY_NONE, NULL);
  if (!client && s->ca_file) SSL_CTX_set_client_CA_list(ctx, SSL_load_client_CA_file(s->ca_file));
  return load_trust(SSL_CTX_get_cert_store(ctx), s, e);
}

/* A client's sessions go to the watch and nowhere else; a server keeps none, its tickets hold them. */
static bool set_sessions(SSL_CTX *ctx, ss_tls_role role)
{
  static const unsigned char id[] = "smtpsec";
  SSL_CTX_set_session_cache_mode(
      ctx, role == SS_TLS_CLIENT ? SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL : SSL_SESS_CACHE_OFF);
  return SSL_CTX_set_session_id_context(ctx, id, sizeof id - 1);
}

static ss_status load_key(SSL_CTX *ctx, const char *key, const ss_tls_settings *s, ss_error *e)
{
  char words[SS_ERROR_REASON];
  ss_password_prompt prompt = {.password = s->key_password};
  SSL_CTX_set_default_passwd_cb_userdata(ctx, &prompt);
  bool loaded = SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) && SSL_CTX_check_private_key(ctx);
  SSL_CTX_set_default_passwd_cb_userdata(ctx, NULL);
  if (loaded) return SS_OK;
  unsigned long code = ss_openssl_words(words, sizeof words);
  if (prompt.asked && !s->key_password)
    return ss_fail(e, SS_E_ARGUMENT, "key \"%s\": is encrypted, and there is no key_password", key);
  if (ERR_GET_LIB(code) == ERR_LIB_X509 || ERR_GET_LIB(code) == ERR_LIB_SSL)
    return ss_fail(e, SS_E_ARGUMENT, "key \"%s\": does not fit cert \"%s\": %s", key, s->cert, words);
  return ss_fail(e, SS_E_ARGUMENT, "key \"%s\": %s", key, words);
}

static ss_status load_certificate(SSL_CTX *ctx, const ss_tls_settings *s, ss_error *e)
{
  SSL_CTX_set_default_passwd_cb(ctx, ss_password_give);
  if (!s->cert && s->key) return ss_fail(e, SS_E_ARGUMENT, "key \"%s\": there is no cert for it", s->key);
  if (!s->cert && s->role == SS_TLS_SERVER) return ss_fail(e, SS_E_ARGUMENT, "cert: a server must have one");
  if (!s->cert) return SS_OK;
  ERR_clear_error();
  if (!SSL_CTX_use_certificate_chain_file(ctx, s->cert)) return wrong(e, "cert", s->cert);
  return load_key(ctx, s->key ? s->key : s->cert, s, e);
}

static ss_status configure(ss_tls_context *c, const ss_tls_settings *s, ss_error *e)
{
  ERR_clear_error();
  c->ssl = SSL_CTX_new(s->role == SS_TLS_CLIENT ? TLS_client_method() : TLS_server_method());
  c->wire = ss_tls_wire_method();
  if (!c->ssl || !c->wire || !set_sessions(c->ssl, s->role)) return ss_fail(e, SS_E_MEMORY, "out of memory");
  set_protocol(c->ssl);
  ss_status status = set_versions(c->ssl, s, e);
  if (status == SS_OK) status = set_algorithms(c->ssl, s, e);
  if (status == SS_OK) status = set_verification(c->ssl, s, e);
  if (status == SS_OK) status = load_certificate(c->ssl, s, e);
  ERR_clear_error();
  return status;
}

ss_tls_context *ss_tls_context_new(const ss_tls_settings *settings, ss_error *e)
{
  ss_tls_context *c = malloc(sizeof *c);
  if (!c) {
    ss_fail(e, SS_E_MEMORY, "out of memory");
    return NULL;
  }
  *c = (ss_tls_context){.references = 1, .role = settings->role};
  if (configure(c, settings, e) == SS_OK) return c;
  ss_tls_context_unref(c);
  ERR_clear_error(); /* the queue is the host's too */
  return NULL;
}

ss_tls_context *ss_tls_context_ref(ss_tls_context *context)
{
  context->references++;
  return context;
}

void ss_tls_context_unref(ss_tls_context *context)
{
  if (!context || --context->references) return;
  SSL_CTX_free(context->ssl);
  BIO_meth_free(context->wire);
  free(context);
}

ss_tls_role ss_tls_context_role(const ss_tls_context *context)
{
  return context->role;
}

struct ssl_ctx_st *ss_tls_context_ssl(const ss_tls_context *context)
{
  return context->ssl;
}

const struct bio_method_st *ss_tls_context_wire(const ss_tls_context *context)
{
  return context->wire;
}
