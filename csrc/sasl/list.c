/* list: the mechanisms there are, strongest first.
 *
 * Inside authenticated TLS the server learns the password with PLAIN and LOGIN; CRAM-MD5 stands behind them because it
 * makes the server keep the password itself, and fails on servers that rightly do not. */
#include "base/ascii.h"
#include "sasl/mechanism.h"

#include <string.h>

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
    if (ss_ascii_same(name, strlen(name), ss_mechanisms[i]->name)) return ss_mechanisms[i];
  return NULL;
}
