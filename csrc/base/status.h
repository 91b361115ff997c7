/* status: how every function of the engine says what happened, and whose fault it was.
 *
 * Zero or a positive number is success. A negative number is one of these; the sentence that goes with it stands
 * in an ss_error. Caller's mistakes leave the object usable and change nothing; everything else ends it, and is
 * repeated by every later call (sticky). Nothing here may grow a protocol's vocabulary: reply codes are not
 * statuses. */
#ifndef SS_STATUS_H
#define SS_STATUS_H

typedef enum ss_status {
  SS_OK = 0,
  SS_AGAIN = -1, /* not an error: more bytes from the peer are needed first */

  /* the caller's mistake; nothing was changed */
  SS_E_ARGUMENT = -2,  /* an argument that may not go on the wire */
  SS_E_STATE = -3,     /* not legal now */
  SS_E_POLICY = -4,    /* refused by the security policy that the object was made with */
  SS_E_UNOFFERED = -5, /* needs an extension that the peer did not offer */
  SS_E_FULL = -6,      /* output must be drained first */

  /* the peer's violation, or the world's; the object is finished */
  SS_E_PROTOCOL = -7,
  SS_E_LIMIT = -8, /* a bound on what a peer may send was passed */
  SS_E_TLS = -9,
  SS_E_AUTH = -10,
  SS_E_CLOSED = -11, /* the peer ended the stream */
  SS_E_MEMORY = -12,
  SS_E_INTERNAL = -13
} ss_status;

enum { SS_ERROR_TEXT = 320, SS_ERROR_REASON = 160 };

/* One line for people, and where there is one the machine's own word for it (OpenSSL's name of an X.509 failure).
 * Both are printable: bytes of a peer are escaped before they get here. No secret ever does. */
typedef struct ss_error {
  ss_status status;
  char text[SS_ERROR_TEXT];
  char reason[SS_ERROR_REASON];
} ss_error;

/* Sets `e` and returns `status`, so that a caller can write `return ss_fail(e, …)`. `e` may be NULL. The text is cut
 * at the size of the field; the reason is cleared. */
ss_status ss_fail(ss_error *e, ss_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The name of a status in lower case ("protocol", "closed", …), as the Lua layer knows it. Never NULL. */
const char *ss_status_name(ss_status status);

#endif
