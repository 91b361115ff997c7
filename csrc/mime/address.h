/* address: reads the mailboxes of a string as a user writes them: `local@domain`, `Name <local@domain>`, separated by
 * commas, and groups of them: `Name: a@b, c@d;`. What mail programs disagree about is refused, not guessed: comments,
 * routes, groups in groups, a bare @ in a name. The address itself is not judged here (smtp/mailbox.h does), nor whether
 * the string is text. One pass, no backtracking. */
#ifndef SS_ADDRESS_H
#define SS_ADDRESS_H

#include "base/buf.h"

#include <stdbool.h>

/* Most octets of a display name. */
enum { SS_ADDRESS_NAME = 998 };

/* What a fault is about, for the advice that goes with it. */
typedef enum ss_address_fault {
  SS_ADDRESS_SOUND,
  SS_ADDRESS_ITEM,  /* what stands there is refused, for the reason given */
  SS_ADDRESS_EMPTY, /* nothing stands there */
  SS_ADDRESS_COMMA  /* no @: perhaps a name that was cut at its comma */
} ss_address_fault;

typedef struct ss_address {
  ss_address_fault fault;
  const char *why; /* of SS_ADDRESS_ITEM: a static sentence */
  size_t start,
      stop; /* the item, without the blanks around it; up to the end of the string where it cannot be read */
  size_t spec, spec_n; /* the address itself */
  bool angle;          /* it stands in angle brackets, so `name` counts */
  bool group;          /* it is the name of a group, which `name` is */
  size_t next; /* where the comma behind it is, the colon of a group, the semicolon that ends one, or n */
} ss_address;

/* Reads the mailbox, or the name of a group, that begins at `at` (at most n) in the n bytes at s; `in_group`: it is a
 * mailbox of a group. Its display name, words joined by single blanks and without their quotes, is appended to `name`.
 * SS_OK, whatever `a` then says; SS_E_FULL or SS_E_MEMORY. */
ss_status ss_address_read(ss_address *a, const char *s, size_t n, size_t at, bool in_group, ss_buf *name);

#endif
