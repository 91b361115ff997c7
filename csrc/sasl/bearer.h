/* bearer: what the mechanisms that carry an OAuth 2.0 bearer token (RFC 6750) share. */
#ifndef SS_BEARER_H
#define SS_BEARER_H

#include "sasl/mechanism.h"

/* Whether user, host and token can be said in key-values, each of which 0x01 ends: SS_OK or SS_E_ARGUMENT. */
ss_status ss_bearer_check(const ss_exchange *x, ss_error *e);

/* Keeps as much as there is room for of the server's words on why it refuses. Only a refusal may follow: nothing that
 * the exchange waits for comes any more. */
ss_status ss_bearer_refused(ss_exchange *x, const uint8_t *challenge, size_t n);

#endif
