/* certificate: the X.509 certificates of S/MIME (RFC 8550), as their owner or a correspondent gives them: in PEM.
 *
 * Whoever names a certificate trusts it, so no authority is asked for. What is checked is what would make a reader throw
 * the mail away, or send it to the wrong eyes: validity, purpose, strength, address. */
#ifndef SS_SMIME_CERTIFICATE_H
#define SS_SMIME_CERTIFICATE_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

struct x509_st;

/* A list of them. The first is whose it is; the others, if any, are those that vouch for it. */
typedef struct stack_st_X509 ss_certificates;

typedef enum ss_smime_purpose { SS_SMIME_CHAIN, SS_SMIME_SIGNING, SS_SMIME_ENCRYPTION } ss_smime_purpose;

/* Reads every certificate in `pem`, at least one, and judges them: all must be valid now, and the first must serve the
 * purpose. NULL and *e where that is not so. To be given to ss_certificates_free. */
ss_certificates *ss_certificates_read(const char *pem, size_t n, ss_smime_purpose purpose, ss_error *e);

/* NULL is fine. */
void ss_certificates_free(ss_certificates *certificates);

/* The first. */
struct x509_st *ss_certificates_own(const ss_certificates *certificates);

/* Whether the first is for this address: the local part as it is, the domain in either case (RFC 5280 section 7.5). */
bool ss_certificates_name(const ss_certificates *certificates, const char *address, size_t n);

#endif
