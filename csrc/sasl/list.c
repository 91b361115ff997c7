/* list: the mechanisms there are, strongest first.
 *
 * SCRAM shows the server nothing that it could use elsewhere, and has it prove itself; with -PLUS it also proves that
 * nobody stands in between. A token decides for the mechanisms that take one, since no other can do anything with it.
 * Inside authenticated TLS the server learns the password with PLAIN and LOGIN; CRAM-MD5 stands behind them because it
 * makes the server keep the password itself, and fails on servers that rightly do not. EXTERNAL stands behind them all,
 * because who gives a password besides a certificate wants to log in by it. The last two are chosen by nobody but who
 * names them: one is historic (RFC 6331), the other logs nobody in. */
#include "base/ascii.h"
#include "sasl/mechanism.h"

#include <string.h>

extern const ss_mechanism ss_mechanism_scram_sha_512_plus, ss_mechanism_scram_sha_256_plus,
    ss_mechanism_scram_sha_1_plus, ss_mechanism_scram_sha_512, ss_mechanism_scram_sha_256,
    ss_mechanism_scram_sha_1, ss_mechanism_oauthbearer, ss_mechanism_xoauth2, ss_mechanism_plain,
    ss_mechanism_login, ss_mechanism_cram_md5, ss_mechanism_external, ss_mechanism_digest_md5,
    ss_mechanism_anonymous;

const ss_mechanism *const ss_mechanisms[] = {
    &ss_mechanism_scram_sha_512_plus,
    &ss_mechanism_scram_sha_256_plus,
    &ss_mechanism_scram_sha_1_plus,
    &ss_mechanism_scram_sha_512,
    &ss_mechanism_scram_sha_256,
    &ss_mechanism_scram_sha_1,
    &ss_mechanism_oauthbearer,
    &ss_mechanism_xoauth2,
    &ss_mechanism_plain,
    &ss_mechanism_login,
    &ss_mechanism_cram_md5,
    &ss_mechanism_external,
    &ss_mechanism_digest_md5,
    &ss_mechanism_anonymous,
    NULL,
};

const ss_mechanism *ss_mechanism_find(const char *name)
{
  for (size_t i = 0; ss_mechanisms[i]; i++)
    if (ss_ascii_same(name, strlen(name), ss_mechanisms[i]->name)) return ss_mechanisms[i];
  return NULL;
}
