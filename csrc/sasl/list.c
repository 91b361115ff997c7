/* list: the mechanisms there are, strongest first.
 *
 * Inside authenticated TLS the server learns the password with PLAIN and LOGIN; CRAM-MD5 stands behind them because it
 * makes the server keep the password itself, and fails on servers that rightly do not. */
#include "sasl/mechanism.h"

#include <strings.h>

extern const ss_mechanism ss_mechanism_plain, ss_mechanism_login, ss_mechanism_cram_md5;

const ss_mechanism *const ss_mechanisms[] = {
    &ss_mechanism_plain,
    &ss_mechanism_login,
    &ss_mechanism_cram_md5,
    NULL,
};

const ss_mechanism *ss_mechanism_find(const char *name)
{
  for (size_t i = 0; ss_mechanisms[i]; i++)
    if (strcasecmp(ss_mechanisms[i]->name, name) == 0) return ss_mechanisms[i];
  return NULL;
}
