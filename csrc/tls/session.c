/* session: see session.h. */
#include "tls/session.h"
#include "tls/watch.h"

#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdlib.h>

enum { LIFETIME_MAX = 7 * 24 * 3600 }; /* RFC 8446 section 4.6.1 */

struct ss_tls_session {
  size_t references;
  ss_tls_context *context;
  ss_tls_identity *identity;
  const char *proof;
  ss_tls_certificate *certificate; /* what stands in the peer's, where it was read */
  ASN1_TIME *valid_until;          /* NULL where the proof was a pin, which has no date */
  SSL_SESSION *ssl;                /* NULL once spent */
};

/* No SSL shares what is kept here, but has a copy, or what was spent on it: OpenSSL spoils the session of one that is
 * freed without a close_notify, which says nothing against the session (RFC 5246 section 7.2.1). */

ss_tls_session *ss_tls_session_take(ss_tls_watch *w, ss_tls_context *context)
{
  SSL_SESSION *newest = w->session_count ? w->sessions[w->session_count - 1] : NULL;
  if (!newest || !w->proof || !w->identity || !SSL_SESSION_is_resumable(newest)) return NULL;
  SSL_SESSION *copy = SSL_SESSION_dup(newest);
  ss_tls_session *s = copy ? malloc(sizeof *s) : NULL;
  if (!s) {
    SSL_SESSION_free(copy);
    ERR_clear_error();
    return NULL;
  }
  SSL_SESSION_free(newest);
  w->session_count--;
  *s = (ss_tls_session){.references = 1,
                        .context = ss_tls_context_ref(context),
                        .identity = ss_tls_identity_ref(w->identity),
                        .proof = w->proof,
                        .certificate = ss_tls_certificate_ref(w->certificate),
                        .ssl = copy};
  if (w->valid_until) s->valid_until = ASN1_STRING_dup(w->valid_until);
  return s;
}

ss_tls_session *ss_tls_session_ref(ss_tls_session *session)
{
  session->references++;
  return session;
}

void ss_tls_session_unref(ss_tls_session *session)
{
  if (!session || --session->references) return;
  SSL_SESSION_free(session->ssl);
  ASN1_TIME_free(session->valid_until);
  ss_tls_certificate_unref(session->certificate);
  ss_tls_identity_unref(session->identity);
  ss_tls_context_unref(session->context);
  free(session);
}

time_t ss_tls_session_ends(const ss_tls_session *s)
{
  if (!s->ssl) return 0;
  unsigned long hint = SSL_SESSION_get_ticket_lifetime_hint(s->ssl);
  long seconds = SSL_SESSION_get_timeout(s->ssl);
  /* RFC 5077 section 3.3: in TLS 1.2 a hint of 0 says nothing; RFC 8446 section 4.6.1: in TLS 1.3 it means at once. */
  if (hint > 0 || ss_tls_session_once(s)) seconds = hint < LIFETIME_MAX ? (long)hint : LIFETIME_MAX;
  return (time_t)(SSL_SESSION_get_time(s->ssl) + seconds);
}

bool ss_tls_session_once(const ss_tls_session *s)
{
  return !s->ssl || SSL_SESSION_get_protocol_version(s->ssl) >= TLS1_3_VERSION;
}

static bool set_copy(SSL *ssl, SSL_SESSION *session)
{
  SSL_SESSION *copy = SSL_SESSION_dup(session);
  bool set = copy && SSL_set_session(ssl, copy);
  SSL_SESSION_free(copy);
  return set;
}

static bool spend(ss_tls_session *s, SSL *ssl)
{
  if (!SSL_set_session(ssl, s->ssl)) return false;
  SSL_SESSION_free(s->ssl);
  s->ssl = NULL;
  return true;
}

/* The identity is the same and so the answer was yes once; asked again because a mistake here would be silent. */
static bool certificate_fits(const ss_tls_session *s, const ss_tls_identity *id)
{
  X509 *certificate = SSL_SESSION_get0_peer(s->ssl);
  if (!certificate || (id->pin_count && !ss_tls_identity_pinned(id, certificate))) return false;
  if (id->verify == SS_TLS_PIN) return true;
  return s->valid_until && X509_cmp_current_time(s->valid_until) > 0 &&
         ss_tls_identity_named(id, certificate);
}

bool ss_tls_session_offer(ss_tls_session *s, SSL *ssl, const ss_tls_context *context,
                          const ss_tls_identity *id)
{
  if (!s->ssl || s->context != context || !ss_tls_identity_equal(s->identity, id)) return false;
  if (!certificate_fits(s, id)) return false;
  return ss_tls_session_once(s) ? spend(s, ssl) : set_copy(ssl, s->ssl);
}

void ss_tls_session_prove(const ss_tls_session *session, ss_tls_watch *w)
{
  w->proof = session->proof;
  if (!w->certificate) w->certificate = ss_tls_certificate_ref(session->certificate);
  if (session->valid_until) w->valid_until = ASN1_STRING_dup(session->valid_until);
}
