/* session: see session.h. */
#include "tls/session.h"
#include "tls/watch.h"

#include <openssl/x509.h>
#include <stdlib.h>

struct ss_tls_session {
  size_t references;
  ss_tls_context *context;
  ss_tls_identity *identity;
  const char *proof;
  ASN1_TIME *valid_until; /* NULL where the proof was a pin, which has no date */
  SSL_SESSION *ssl;       /* NULL once spent */
};

ss_tls_session *ss_tls_session_take(ss_tls_watch *w, ss_tls_context *context)
{
  if (!w->newest || !w->proof || !w->identity || !SSL_SESSION_is_resumable(w->newest)) return NULL;
  ss_tls_session *s = malloc(sizeof *s);
  if (!s) return NULL;
  *s = (ss_tls_session){.references = 1,
                        .context = ss_tls_context_ref(context),
                        .identity = ss_tls_identity_ref(w->identity),
                        .proof = w->proof,
                        .ssl = w->newest};
  w->newest = NULL;
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
  ss_tls_identity_unref(session->identity);
  ss_tls_context_unref(session->context);
  free(session);
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
  if (!certificate_fits(s, id) || !SSL_set_session(ssl, s->ssl)) return false;
  if (SSL_SESSION_get_protocol_version(s->ssl) >= TLS1_3_VERSION) {
    SSL_SESSION_free(s->ssl);
    s->ssl = NULL;
  }
  return true;
}

void ss_tls_session_prove(const ss_tls_session *session, ss_tls_watch *w)
{
  w->proof = session->proof;
  if (session->valid_until) w->valid_until = ASN1_STRING_dup(session->valid_until);
}
