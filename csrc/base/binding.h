/* binding: what ties a login to the TLS channel under it (RFC 5056): a type's name and bytes that both ends can compute
 * and nobody between them can arrange to be equal. TLS makes it (tls/binding.h), mechanisms use it. */
#ifndef SS_BINDING_H
#define SS_BINDING_H

#include <stddef.h>
#include <stdint.h>

enum { SS_BINDING_BYTES = 64 };

typedef struct ss_binding {
  const char *type; /* "tls-exporter", …; static */
  uint8_t bytes[SS_BINDING_BYTES];
  size_t length;
} ss_binding;

#endif
