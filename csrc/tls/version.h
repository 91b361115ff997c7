/* version: whether the OpenSSL that runs is the one that was compiled for.
 *
 * Two OpenSSLs in one process (one inside the host's executable, one as a library) crash later and elsewhere, so the
 * module refuses to load rather than find out. */
#ifndef SS_TLS_VERSION_H
#define SS_TLS_VERSION_H

/* NULL when the major versions agree, else OpenSSL's description of what runs (static). */
const char *ss_openssl_mismatch(void);

/* The major version compiled for, and OpenSSL's description of what runs. */
int ss_openssl_built(void);
const char *ss_openssl_running(void);

#endif
