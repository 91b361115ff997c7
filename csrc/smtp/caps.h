/* caps: what the server offered in its last EHLO (RFC 5321 section 4.1.1.1), and nothing older.
 *
 * Keywords are compared whole and without regard to case; the first line, which is the server's name and free text, is
 * never searched. Rules about when an extension may be used live in the verb and parameter tables. */
#ifndef SS_CAPS_H
#define SS_CAPS_H

#include "base/buf.h"

typedef struct ss_caps {
  ss_buf text;     /* the EHLO reply's lines, '\n' between them */
  bool known;      /* an EHLO or HELO was answered on this connection as it is now */
  bool pipelining; /* asked for at every command, so it is looked up once */
} ss_caps;

/* One keyword with its parameters; both point into the ss_caps they came from. */
typedef struct ss_keyword {
  const char *name, *params;
  size_t name_length, params_length;
} ss_keyword;

void ss_caps_init(ss_caps *c);
void ss_caps_free(ss_caps *c);

/* Forgets everything, as after STARTTLS (RFC 3207 section 4.2). */
void ss_caps_forget(ss_caps *c);

/* Takes the text of a positive EHLO reply, or of a HELO reply (`extended` false: then nothing is offered). SS_OK or
 * SS_E_MEMORY. */
ss_status ss_caps_learn(ss_caps *c, const char *text, size_t n, bool extended);

/* The server's name as it gave it: the first word of the reply. *n is 0 when there is none. */
const char *ss_caps_server(const ss_caps *c, size_t *n);

/* Walks the keywords: *position starts at 0. False at the end. Lines that are no keyword are passed over. */
bool ss_caps_next(const ss_caps *c, size_t *position, ss_keyword *k);

/* Finds a keyword; k may be NULL. */
bool ss_caps_find(const ss_caps *c, const char *name, ss_keyword *k);

/* Whether a keyword is offered with `word` among its parameters (AUTH PLAIN). */
bool ss_caps_offers(const ss_caps *c, const char *name, const char *word);

/* The limit that SIZE declares (RFC 1870), saturating; 0 when there is none. */
uint64_t ss_caps_size_limit(const ss_caps *c);

#endif
