/* file: a regular file that becomes part of a message, read in pieces as the message is sent.
 *
 * Only regular files: opening a FIFO or a device could block for ever or never end. The identity tells whether the
 * file that is read now is the one that was measured before. Nothing is ever written. */
#ifndef SS_FILE_H
#define SS_FILE_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All zero is a file that is not open. */
typedef struct ss_file {
  int fd;
  bool open;
} ss_file;

/* Two equal identities: the same file, with the same bytes as far as size and time of change can tell. */
typedef struct ss_file_identity {
  uint64_t device, inode, size;
  int64_t seconds, nanoseconds;
} ss_file_identity;

/* Opens the regular file at `path`, links followed: SS_OK, or SS_E_ARGUMENT with the reason in words, and `f` stays
 * closed. The caller closes it. */
ss_status ss_file_open(ss_file *f, const char *path, ss_error *e);

/* What the file is now. SS_OK, SS_E_CLOSED when it is not open, SS_E_INTERNAL when the system does not say. */
ss_status ss_file_identify(const ss_file *f, ss_file_identity *identity, ss_error *e);

/* Reads up to n bytes to `to`; *got is 0 at the end only. SS_OK, SS_E_CLOSED or SS_E_INTERNAL. */
ss_status ss_file_read(ss_file *f, void *to, size_t n, size_t *got, ss_error *e);

/* Closes it; again does nothing. */
void ss_file_close(ss_file *f);

#endif
