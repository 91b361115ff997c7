/* stream: a connected socket, read and written with a deadline for each step as a whole.
 *
 * No call here raises SIGPIPE or depends on how the descriptor was made: each system call says itself that it neither
 * signals nor waits. What the bytes mean, TLS included, is somebody else's business. */
#ifndef SS_SOCK_STREAM_H
#define SS_SOCK_STREAM_H

#include "sock/address.h"
#include "sock/clock.h"
#include "sock/trouble.h"

#include <stdbool.h>
#include <stddef.h>

/* Zeroed memory is a closed stream. */
typedef struct ss_stream {
  bool open;
  bool tcp;
  int fd; /* owned while open */
} ss_stream;

/* Takes over the connected descriptor; for TCP, small writes go out at once from here on (TCP_NODELAY). */
void ss_stream_open(ss_stream *s, int fd);

/* Reads what has arrived, waiting for the first byte until the deadline. SS_WHY_NONE and *got from 1 to size; else
 * CLOSED (the end of the stream, or a reset), TIMEOUT (the stream is as it was) or ERROR. size is at least 1. */
ss_why ss_stream_read(ss_stream *s, void *to, size_t size, ss_time deadline, size_t *got,
                      ss_trouble *trouble);

/* Writes all n bytes by the deadline. In any case *taken says how many the kernel took; anything but SS_WHY_NONE
 * leaves the peer with a part of them, and the stream is good only for closing. */
ss_why ss_stream_write(ss_stream *s, const void *from, size_t n, ss_time deadline, size_t *taken,
                       ss_trouble *trouble);

/* True when it is open at both ends and silent: no unread byte, no end, no error. Does not wait. */
bool ss_stream_alive(const ss_stream *s);

/* The peer's address and our own; false where there is none any more. */
bool ss_stream_peer(const ss_stream *s, ss_address *peer);
bool ss_stream_name(const ss_stream *s, ss_address *name);

/* Idempotent. */
void ss_stream_close(ss_stream *s);

/* Closes it so that the peer gets a reset instead of an end, and what was not sent yet is dropped. For tests of what
 * others do then: no honest end of a connection looks like this. */
void ss_stream_reset(ss_stream *s);

#endif
