/* watch: see watch.h. */
#include "tls/watch.h"
#include "tls/staple.h"

#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <string.h>

static int refuse(ss_tls_watch *w, int error, const char *reason)
{
  w->reason = reason;
  return error;
}

/* Out of memory, here and below, costs the connection's sessions, nothing else. Takes over `end`; NULL is no memory. */
static void limit(ss_tls_watch *w, ASN1_TIME *end)
{
  if (w->valid_until && (!end || ASN1_TIME_compare(end, w->valid_until) < 0)) {
    ASN1_TIME_free(w->valid_until);
    w->valid_until = end;
  } else {
    ASN1_TIME_free(end);
  }
}

/* As long as the newest revocation list of an authority is good: a chain is not verified by one that has expired. */
static void limit_by_lists(ss_tls_watch *w, X509_STORE_CTX *store, const X509_NAME *authority)
{
  STACK_OF(X509_CRL) *lists = X509_STORE_CTX_get1_crls(store, authority);
  const ASN1_TIME *last = NULL;
  for (int i = 0; i < sk_X509_CRL_num(lists); i++) {
    const ASN1_TIME *end = X509_CRL_get0_nextUpdate(sk_X509_CRL_value(lists, i));
    if (end && (!last || ASN1_TIME_compare(end, last) > 0)) last = end;
  }
  if (last || !lists) limit(w, last ? ASN1_STRING_dup(last) : NULL);
  sk_X509_CRL_pop_free(lists, X509_CRL_free);
}

static void limit_by_chain(ss_tls_watch *w, X509_STORE_CTX *store)
{
  STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(store);
  bool lists = X509_VERIFY_PARAM_get_flags(X509_STORE_CTX_get0_param(store)) & X509_V_FLAG_CRL_CHECK;
  const ASN1_TIME *first = NULL;
  for (int i = 0; i < sk_X509_num(chain); i++) {
    const ASN1_TIME *end = X509_get0_notAfter(sk_X509_value(chain, i));
    if (!first || ASN1_TIME_compare(end, first) < 0) first = end;
  }
  if (first) w->valid_until = ASN1_STRING_dup(first);
  for (int i = 0; lists && i < sk_X509_num(chain); i++)
    limit_by_lists(w, store, X509_get_issuer_name(sk_X509_value(chain, i)));
}

static int judge_chain(ss_tls_watch *w, X509_STORE_CTX *store)
{
  if (X509_verify_cert(store) == 1) {
    limit_by_chain(w, store);
    return X509_V_OK;
  }
  int error = X509_STORE_CTX_get_error(store);
  if (error == X509_V_OK) error = X509_V_ERR_UNSPECIFIED;
  return refuse(w, error, X509_verify_cert_error_string(error));
}

/* X509_V_OK when the certificate shown is the proof that the identity asks for, else the X.509 error, and its reason
 * in the watch. */
static int judge(ss_tls_watch *w, X509_STORE_CTX *store)
{
  const ss_tls_identity *id = w->identity;
  bool by_pin = id && id->verify == SS_TLS_PIN;
  X509 *certificate = X509_STORE_CTX_get0_cert(store);
  if (X509_up_ref(certificate)) w->shown = certificate;
  int error = by_pin ? X509_V_OK : judge_chain(w, store);
  if (error != X509_V_OK) return error;
  if (id && !by_pin && !id->name[0])
    return refuse(w, X509_V_ERR_HOSTNAME_MISMATCH, "no name was given to check the certificate against");
  if (id && id->pin_count && !ss_tls_identity_pinned(id, certificate))
    return refuse(w, X509_V_ERR_APPLICATION_VERIFICATION, "no pin matches the server's key");
  w->proof = by_pin ? "pin" : "pkix";
  return X509_V_OK;
}

/* Returns 1 to let the handshake go on. What verification queued as errors must not stay behind: SSL_get_error would
 * take it for a failure of the handshake that went on. */
static int on_chain(X509_STORE_CTX *store, void *unused)
{
  (void)unused;
  SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
  ss_tls_watch *w = SSL_get_app_data(ssl);
  ERR_set_mark();
  int error = judge(w, store);
  ERR_pop_to_mark();
  X509_STORE_CTX_set_error(store, error);
  return error == X509_V_OK || (w->identity && w->identity->optional);
}

/* Returns 1 to let the handshake go on, 0 to end it. Called for every full handshake whose chain was let pass, and by
 * some versions of OpenSSL for resumed ones, where the session's proof is what counts. */
static int on_staple(SSL *ssl, void *unused)
{
  (void)unused;
  ss_tls_watch *w = SSL_get_app_data(ssl);
  ASN1_TIME *next_update = NULL;
  if (!w->proof || SSL_session_reused(ssl)) return 1;
  ERR_set_mark();
  const char *wrong = ss_tls_staple_judge(ssl, &next_update);
  ERR_pop_to_mark();
  if (!wrong) {
    limit(w, next_update);
    return 1;
  }
  w->proof = NULL;
  w->reason = wrong;
  return w->identity && w->identity->optional;
}

/* Returns 1: the reference that came with the session is ours. */
static int on_session(SSL *ssl, SSL_SESSION *session)
{
  ss_tls_watch *w = SSL_get_app_data(ssl);
  if (w->session_count == SS_TLS_SESSIONS_KEPT) {
    SSL_SESSION_free(w->sessions[0]);
    w->session_count--;
    memmove(w->sessions, w->sessions + 1, w->session_count * sizeof *w->sessions);
  }
  w->sessions[w->session_count++] = session;
  return 1;
}

void ss_tls_watch_install(SSL_CTX *ctx, bool staple)
{
  SSL_CTX_set_cert_verify_callback(ctx, on_chain, NULL);
  SSL_CTX_sess_set_new_cb(ctx, on_session);
  if (!staple) return;
  SSL_CTX_set_tlsext_status_type(ctx, TLSEXT_STATUSTYPE_ocsp);
  SSL_CTX_set_tlsext_status_cb(ctx, on_staple);
}

void ss_tls_watch_clear(ss_tls_watch *w)
{
  while (w->session_count)
    SSL_SESSION_free(w->sessions[--w->session_count]);
  X509_free(w->shown);
  ss_tls_certificate_unref(w->certificate);
  ASN1_TIME_free(w->valid_until);
  ss_tls_identity_unref(w->identity);
  *w = (ss_tls_watch){0};
}
