/* staple: see staple.h. */
#include "tls/staple.h"

#include <openssl/ocsp.h>
#include <stdbool.h>

enum { CLOCK_SKEW = 300 };

/* Authorities name certificates by digests of their own choice. */
static bool about(const OCSP_CERTID *id, X509 *certificate, X509 *issuer)
{
  ASN1_OBJECT *digest = NULL;
  OCSP_id_get0_info(NULL, &digest, NULL, NULL, (OCSP_CERTID *)id);
  const EVP_MD *md = EVP_get_digestbyobj(digest);
  OCSP_CERTID *expected = md ? OCSP_cert_to_id(md, certificate, issuer) : NULL;
  bool same = expected && OCSP_id_cmp(expected, id) == 0;
  OCSP_CERTID_free(expected);
  return same;
}

/* A response without an end could be shown again for ever: RFC 5019 section 2.2.4 wants one. */
static const char *judge_single(OCSP_SINGLERESP *single, ASN1_TIME **next_update)
{
  ASN1_GENERALIZEDTIME *from, *to;
  int status = OCSP_single_get0_status(single, NULL, NULL, &from, &to);
  if (status == V_OCSP_CERTSTATUS_REVOKED) return "certificate revoked";
  if (status != V_OCSP_CERTSTATUS_GOOD) return "the authority does not know the certificate";
  if (!to || !OCSP_check_validity(from, to, CLOCK_SKEW, -1))
    return "the stapled OCSP response is out of date";
  *next_update = ASN1_STRING_dup(to);
  return *next_update ? NULL : "out of memory";
}

static const char *judge_response(SSL *ssl, OCSP_BASICRESP *response, ASN1_TIME **next_update)
{
  STACK_OF(X509) *chain = SSL_get0_verified_chain(ssl);
  X509_STORE *store = SSL_CTX_get_cert_store(SSL_get_SSL_CTX(ssl));
  int length = sk_X509_num(chain);
  if (length < 1 || OCSP_basic_verify(response, chain, store, 0) <= 0)
    return "the stapled OCSP response is not the authority's";
  X509 *certificate = sk_X509_value(chain, 0), *issuer = sk_X509_value(chain, length > 1 ? 1 : 0);
  for (int i = 0; i < OCSP_resp_count(response); i++) {
    OCSP_SINGLERESP *single = OCSP_resp_get0(response, i);
    if (about(OCSP_SINGLERESP_get0_id(single), certificate, issuer)) return judge_single(single, next_update);
  }
  return "the stapled OCSP response is of another certificate";
}

const char *ss_tls_staple_judge(SSL *ssl, ASN1_TIME **next_update)
{
  const unsigned char *der = NULL;
  long n = SSL_get_tlsext_status_ocsp_resp(ssl, &der);
  if (!der || n <= 0) return "no OCSP response was stapled";
  OCSP_RESPONSE *whole = d2i_OCSP_RESPONSE(NULL, &der, n);
  bool successful = whole && OCSP_response_status(whole) == OCSP_RESPONSE_STATUS_SUCCESSFUL;
  OCSP_BASICRESP *response = successful ? OCSP_response_get1_basic(whole) : NULL;
  const char *wrong =
      response ? judge_response(ssl, response, next_update) : "the stapled OCSP response is none";
  OCSP_BASICRESP_free(response);
  OCSP_RESPONSE_free(whole);
  return wrong;
}
